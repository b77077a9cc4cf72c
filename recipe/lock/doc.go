// Package lock has locks for programs on many machines: [Mutex], [RW],
// [Semaphore], and several of them at once by [All].
//
//	m, err := lock.New(c, "/app/locks/report")
//	...
//	h, err := m.Lock(ctx)
//	if err != nil {
//		return err
//	}
//	defer h.Unlock(context.WithoutCancel(ctx))
//	return work(h.Context())
//
// # What a lock guarantees
//
// At most one holder at a time, as the servers see it: a lock is an ephemeral
// node, and the server lets the next one have it only after that node is gone.
// What a holder must know is when it is one no longer. Two things tell it:
//
//   - [Held.Context] ends when the lock may be lost: the session is over, the
//     node was deleted, or no server has answered for so long that the session
//     could expire. It ends before the servers can give the lock to anybody
//     else, provided that clocks run at about the same speed (2 %) and that the
//     process runs at all.
//   - A process that was stopped in the middle of a step cannot know what it has
//     missed. Where that matters, let the server check: [Held.Guard] is an
//     operation for a multi that fails when the lock is gone, and [Held.Multi]
//     puts it before other operations. Outside of ZooKeeper, send [Held.Token]
//     along: it is larger for each later holder, also when the node of the lock
//     was deleted meanwhile, so that a store can refuse what an earlier holder
//     sends late.
//
// # Waiting
//
// Contenders queue up in the order in which they came, each watches only the
// one before it. Lock waits until its context ends; a session that expires
// while it waits costs its place, not the call. Whoever is cancelled, wherever,
// leaves nothing in the queue.
//
// # With other programs
//
// Nodes have the names and data of Apache Curator's recipes: a Mutex excludes
// InterProcessMutex, go-zookeeper's Lock and, with [KazooNames], kazoo's Lock; an
// RW excludes InterProcessReadWriteLock; a Semaphore shares its leases with
// InterProcessSemaphoreV2 and, if there is one lease, with
// InterProcessSemaphoreMutex. Every child of the lock's node counts as a
// contender, in the order of the sequence numbers, whatever its prefix; one
// without a number is an error. Curator and kazoo overlook each other's nodes:
// a path that both of them use is safe only if kazoo's locks are made with
// extra_lock_patterns=["-lock-"], and Curator comes in under no circumstances
// after a holder with kazoo's names.
package lock
