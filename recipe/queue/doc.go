// Package queue hands messages from some programs to others: in the order in
// which they came, by priority, or when they are due.
//
//	q, err := queue.New(c, "/app/jobs", queue.WithDeadLetters("/app/jobs-dead", 5))
//	...
//	err = q.Put(ctx, []byte("job"))
//	...
//	d, err := q.Receive(ctx)
//	if work(d.Context(), d.Bodies) != nil {
//		return d.Reject(ctx) // to be delivered again
//	}
//	return d.Ack(ctx)
//
// # What is guaranteed
//
// [Queue.Receive] delivers a message at least once. Its delivery holds a lock on
// the message, an ephemeral node, until Ack, which takes both away at once, or
// Reject; when the session of the receiver ends, the message is delivered again.
// Deliveries are counted in the message itself (as the version of its node), so
// that a message whose receivers die is a dead letter after as many attempts.
//
// [Queue.Take] delivers at most once: the message is gone when Take returns it.
// Should the connection break at that moment, it fails with an
// [UncertainError], which has the message: another may have taken it.
//
// A Put whose reply is lost with the connection fails with an error for which
// [client.MaybeApplied] is true: put again, the message may be there twice.
//
// Among messages of one priority the first is delivered first. With several
// receivers, and after a Reject, messages may overtake each other.
//
// A queue is a node with a child for each message: for thousands of messages,
// not for millions. Each message must fit into a packet, 1 MiB by default.
//
// # With other programs
//
// A [Layout] is that of a recipe of Apache Curator or kazoo; both can put and
// take on one queue. A name or content of another form is an error that names
// the node.
package queue
