// Package zk has the API of github.com/go-zookeeper/zk, version 1.0.4, on quoll's
// client. A program that was written for that library gets this one by a line in
// its go.mod, without a change of its source:
//
//	replace github.com/go-zookeeper/zk => github.com/quollhq/quoll/compat/zk v0.1.0
//
// What it gets by that: requests that leave together leave in one write, so that
// many goroutines on one connection get several times as much done; a few
// kilobytes per connection in place of three megabytes; names of servers that
// are resolved anew when all of them have failed; locks and protected nodes that
// leave nothing behind when they fail.
//
// # Differences
//
// Errors, states, events, their order and the formats of nodes are those of
// go-zookeeper/zk. What differs:
//
//   - Create with FlagContainer makes a container. The original makes a
//     persistent node, since servers heed the flag in CreateContainer only.
//   - A request that waits for a connection fails with ErrSessionExpired when the
//     session expires meanwhile. The original carries it out in the next session.
//   - A Lock's parents are made as containers, which go away when nobody contends
//     any more. A contender that fails to get it takes its node away.
//   - FLWSrvr reads the date of servers since 3.6, too.
//   - A reply that is longer than WithMaxBufferSize allows fails its request
//     alone, with ErrConnectionClosed as ever; the connection goes on.
//
// New programs are better off with package client of quoll, which has contexts,
// all operations of the server, and streams of changes.
package zk
