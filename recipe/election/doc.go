// Package election lets one of many programs lead.
//
//	e, err := election.New(c, "/app/leader", election.WithID("node-7"))
//	...
//	err = e.Run(ctx, func(ctx context.Context, term *election.Term) error {
//		return lead(ctx) // ctx ends when leadership may be lost
//	})
//
// There are three ways to take part: [Election.Campaign] waits to lead, for a
// program that goes its own way from there; [Election.Run] calls a function for
// each term; [Election.Join] stays in the race in the background and says at any
// time who leads. Others follow by [Election.Leader] and [Election.Observe].
//
// # What is guaranteed
//
// An election is a lock on a node, and a [Term] what its holder has: see package
// lock for what ends its context, and for its token and guard. Those who take
// part lead in the order in which they came. Each watches only the one before
// it, and an observer only the leader, so that no change wakes all.
//
// # With other programs
//
// Nodes have the names and data of Apache Curator's LeaderLatch, or with
// [SelectorNames] of its LeaderSelector, or with [KazooNames] of kazoo's
// Election: all of one path must have the same. Participants see each other's
// ids, and lead in turn.
package election
