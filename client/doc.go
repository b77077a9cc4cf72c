// Package client is a client for ZooKeeper's protocol, version 3.9: it talks
// to quoll and to Apache ZooKeeper alike.
//
// A [Client] keeps one session on one connection, and finds another server
// when that breaks. Many goroutines share it: their requests are pipelined,
// and those that are ready at the same moment leave in one write.
//
//	c, err := client.Dial(ctx, "zk1:2181,zk2:2181/app")
//	...
//	defer c.Close()
//	path, err := c.Create(ctx, "/members/m-", nil, client.EphemeralSequential)
//
// # Errors
//
// What a server refuses is an [OpError] that wraps one of the codes, so that
//
//	errors.Is(err, client.ErrNoNode)
//
// tells it. When the connection breaks between a request and its reply, reads
// are asked again elsewhere, or as [WithRetry] says; a write fails with
// [ErrConnectionLoss], and [MaybeApplied] tells that nobody knows whether it took
// place.
//
// # Waiting
//
// [Dial] waits until a server opens a session, and a request made while there is no
// connection waits for one, until their context ends: one without a deadline waits
// for ever. The request fails with [ErrSessionExpired] when the session ends meanwhile.
//
//	ctx, cancel := context.WithTimeout(ctx, 10*time.Second) // give up after a while
//	c, err := client.Dial(client.FailFast(ctx), servers)    // give up when no server answers
//	c, err := client.Dial(ctx, servers, client.WithLogger(slog.Default())) // wait, and say so
//
// [New] does not wait at all.
//
// # Reads
//
// A server answers reads from what it knows. A client never sees less than it has
// seen or written before, but it can be behind what another client has seen.
// [Linearizable], for one request, and [WithLinearizableReads] ask for the present.
//
// # Many requests at once
//
// Goroutines that share a client do not wait for each other. One goroutine has
// many requests under way by a [Batch]. [Client.Multi] is one change of several
// operations, [Client.MultiRead] are reads of one state of the tree.
//
// # Sessions
//
// When the server lets a session expire, its ephemeral nodes and its watches
// are gone. The client then opens another session, unless [WithSingleSession]
// says otherwise. [Client.Session] names the one at present: what depends on
// a session (a lock, a registration) watches its Done channel, or works within
// [Session.Context], which ends before the servers can let the session expire,
// and asks with [WithinSession], so that nothing slips into a later session.
//
// # Unknown outcomes
//
// [Client.CreateUnique], [Client.EnsurePath] and [Client.EnsureDeleted] go on
// over broken connections until their outcome is known, and leave nothing
// behind when they are given up.
//
// # Watches
//
// GetW, ExistsW and ChildrenW return a channel that yields one event.
// [Client.AddWatch] returns a [Watch], a stream of all changes of a node or a
// subtree. No event is lost while a connection lasts; after a new connection,
// on which a server cannot tell what happened in between, the stream yields
// an event of type [EventReset], upon which its reader looks anew.
//
// # Observing
//
// [WithLogger] logs connections, [WithHooks] has functions called for each
// request and event: module client/telemetry makes traces and metrics for
// OpenTelemetry of them. Without hooks there is nothing to pay.
package client
