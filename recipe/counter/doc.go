// Package counter has a number that many programs change and watch.
//
//	n, err := counter.New(c, "/app/orders")
//	...
//	next, err := n.Add(ctx, 1)
//
// # What is guaranteed
//
// Every change is a compare-and-set by the version of the node, so that none is
// lost. Under contention a change is tried again, after a random pause, and with
// [PromoteTo] under a lock after some attempts. When the reply of a change is
// lost with the connection and the node shows that the change did not take place,
// it is made again. Otherwise nobody can tell whose the change there is: the call
// fails with an error for which [client.MaybeApplied] is true, and nothing is
// counted twice.
//
// # With other programs
//
// A counter is one node. Its form is [Long] for Apache Curator's
// DistributedAtomicLong, [Int] for its DistributedAtomicInteger and SharedCount
// and for kazoo's Counter with support_curator, [Text] for kazoo's Counter.
package counter
