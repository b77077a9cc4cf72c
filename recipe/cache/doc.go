// Package cache keeps a part of the tree in memory, decoded, and up to date.
//
//	t, err := cache.Open(ctx, c, "/app/routes", cache.JSON[Route])
//	...
//	defer t.Close()
//	route, ok := t.Get("/app/routes/eu")
//	...
//	for change, err := range t.Changes(ctx) { ... }
//
// # What is guaranteed
//
// After Open the cache has the whole subtree. It follows by one recursive watch,
// reads what has changed, many nodes per round trip, and after a new connection
// compares all nodes: those that have changed are the ones that it tells of.
//
// [Tree.Zxid] says how far it has come: all changes up to this one are in the
// cache, and those of later ones may be. It never goes back. [Tree.Await] waits
// until a change is there, for example one's own, and [Tree.Refresh] until all
// are that were committed before. While no server can be reached, the cache
// stays as it is.
//
// [Tree.Changes] tells of every node that has changed: of several changes of one
// node that come faster than they are taken the last one counts, and none is
// dropped, however long that takes.
//
// A node that cannot be read or decoded has an error in place of its value,
// and takes nothing else along.
//
// It needs a server that has recursive watches and multi-reads: quoll, or Apache
// ZooKeeper 3.6 and later.
package cache
