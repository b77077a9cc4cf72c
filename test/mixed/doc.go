// Package mixed tests the parts of a quoll server that speak with other members in ensembles with Apache's servers: each side
// leads, states travel in both directions, in the clear, by TLS and with SASL.
package mixed
