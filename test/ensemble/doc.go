// Package ensemble tests ensembles of server processes, of quoll's and of Apache's in any mix, as clients see them.
package ensemble
