// Package dnsserver answers DNS queries with the instances of services, for
// programs that know nothing of discovery.
//
//	s := dnsserver.New(d, "quoll.internal")
//	err := s.ListenAndServe(ctx, "127.0.0.1:8600")
//
// It knows these names:
//
//	orders.quoll.internal              A and AAAA: the addresses; SRV: addresses and ports
//	_orders._tcp.quoll.internal        SRV
//	10-0-0-7.addr.quoll.internal       A or AAAA: the address; targets of SRV are of this form
//
// Letters of either case are the same. Instances that drain are left out. One
// whose address is a host name is the target of an SRV record, and is left out of
// A and AAAA. Priorities are 0; weights are those of the instances. The time to
// live is a second.
//
// Queries are answered by UDP and TCP; there is no recursion.
package dnsserver
