// Package mixed tests ensembles of Apache's servers and quoll's members: each side leads, follows and observes, states travel
// in both directions, in the clear, by TLS and with SASL.
package mixed
