// Package differential sends the same random requests to Apache ZooKeeper and to quoll, over its own small driver of the
// wire protocol, and demands the same answers: every byte of every reply, the watch events in their order, the closing of
// connections, and at the end the whole tree. Then each server is started on the other's data directory, the sessions go
// on there, and all must agree again.
//
//	go test ./test/differential                      100,000 operations
//	go test ./test/differential -ops 1000000         more of them
//	go test ./test/differential -seed 7 -ops 12500   one episode again
//
// An episode starts both servers empty. Its steps are drawn from the seed and from what Apache's server answered before,
// so a seed replays as long as Apache's server stays the same. When a step differs, the episode is cut down to the steps
// that matter and printed as a transcript.
//
// Steps come one after the other, and a difference fails at once. What a client is told of another's step is compared with
// its own next step: on one connection, events come ahead of the replies that follow. Before a connection ends otherwise than by
// a reply, its client pings, so that nothing is on its way.
//
// Zxids are compared exactly: both servers start at 0 and spend them alike, also on refused writes. Session ids are
// numbered in the order of their creation. Times are checked, not compared: see [world.checkTimes]. What else is evened
// out before the comparison stands in normal.go, each with its reason; docs/differences.md lists what is meant to differ.
package differential
