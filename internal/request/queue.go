package request

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/internal/arena"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/session"
)

// ErrClosed is the answer to whoever submits to an engine that is closed or
// has failed.
var ErrClosed = errors.New("engine is closed")

// submission is what one call hands to the writer: the writes of a
// client, with bodies of their own, or a change of the server's own.
type submission struct {
	client *Client
	reqs   []Request
	buf    []byte // the bodies
	size   int    // bytes, counted as in flight until it is prepared
	done   int    // how many of reqs were prepared
	when   time.Time
	own    func(when time.Time) // instead of requests

	// Instead of requests of a client: those that a learner has forwarded.
	remote []Forwarded
	owner  session.Owner
}

// writes is how many there are.
func (s *submission) writes() int { return max(len(s.reqs), len(s.remote), 1) }

const (
	// usualBodies is room for how many bytes of bodies a submission has at least.
	usualBodies = 4 << 10
	// mostBodies is room for how many are kept with it: as many as a learner forwards at once.
	mostBodies = 256 << 10
)

var submissions = sync.Pool{New: func() any { return new(submission) }}

// copyOf is reqs with bodies of their own, so that the caller can go on reading
// into the memory of its.
func copyOf(c *Client, reqs []Request, when time.Time) *submission {
	s := submissions.Get().(*submission)
	n := 0
	for i := range reqs {
		n += len(reqs[i].Body)
	}
	s.begin(c, when, n)
	for i := range reqs {
		s.reqs = append(s.reqs, Request{Xid: reqs[i].Xid, Op: reqs[i].Op, Body: s.keep(reqs[i].Body)})
	}
	return s
}

// begin makes one that may have been used a new one without requests, with room for
// bodies of n bytes together.
func (s *submission) begin(c *Client, when time.Time, n int) {
	if cap(s.buf) < n {
		s.buf = make([]byte, 0, max(n, usualBodies))
	}
	s.client, s.when, s.own, s.done, s.size, s.owner = c, when, nil, 0, 0, 0
	s.buf, s.reqs, s.remote = s.buf[:0], s.reqs[:0], s.remote[:0]
}

// keep copies a body.
func (s *submission) keep(body []byte) []byte {
	s.size += len(body)
	return keepIn(&s.buf, body, 2*cap(s.buf))
}

// keepIn copies a body behind those in buf. If there is no room for it buf becomes a new
// one of this size, or larger, and the bodies before stay where they are.
func keepIn(buf *[]byte, body []byte, size int) []byte {
	if len(*buf)+len(body) > cap(*buf) {
		*buf = make([]byte, 0, max(size, len(body)))
	}
	from := len(*buf)
	*buf = append(*buf, body...)
	return (*buf)[from:len(*buf):len(*buf)]
}

func (s *submission) recycle() {
	if cap(s.buf) > mostBodies {
		return
	}
	arena.Spoil(s.buf)
	clear(s.reqs)
	clear(s.remote)
	s.client, s.own = nil, nil
	submissions.Put(s)
}

// queue is what was submitted and is not prepared. Its lock is the only one that
// clients and the writer want both, and nobody holds it for long.
type queue struct {
	mu       sync.Mutex
	work     sync.Cond // there is something for the writer
	room     sync.Cond // bytes in flight fell below the limit
	list     []*submission
	count    int // writes in the list
	pace     pace
	patience *time.Timer // calls expire; nil before the first time
	bytes    int         // of the list, and of what the writer took from it and has not committed
	limit    int         // of bytes
	waiting  bool        // the writer waits
	waitRoom int         // clients that wait
	closing  bool
	failed   bool
	err      error  // why it failed
	refusing bool   // as a member that does not lead
	role     uint64 // the number of the role in which writes are let in
	epoch    int64  // of this leader, or of the last one
	early    []earlier
	holding  bool // the writer is given nothing
	inFlight *atomic.Int64
	paused   bool // nothing is let in: the state is being replaced
	// lines are those of learners with something in them.
	lines map[session.Owner]*line
}

func (q *queue) init(limit int, inFlight *atomic.Int64) {
	q.work.L, q.room.L = &q.mu, &q.mu
	q.limit, q.inFlight = limit, inFlight
}

// Submit takes writes of one client, in order. Their replies go to its outbox.
// It waits while too much is in flight.
func (e *Engine) Submit(c *Client, reqs []Request) error {
	if c.ReadOnly {
		e.refuse(c, reqs, proto.NotReadOnly)
		return nil
	}
	for {
		err := e.submit(c, reqs)
		if err != ErrNotServing || !e.await(c) {
			return err
		}
	}
}

func (e *Engine) submit(c *Client, reqs []Request) error {
	if e.pipe.flight.role.Load() == following {
		return e.pipe.forward(c, reqs, e.Now())
	}
	c.add(len(reqs))
	err := e.pipe.queue.put(copyOf(c, reqs, e.Now()))
	if err != nil {
		c.add(-len(reqs))
	}
	return err
}

// refuse answers writes by a code alone.
func (e *Engine) refuse(c *Client, reqs []Request, code proto.Code) {
	for i := range reqs {
		c.Reply(proto.ReplyHeader{Xid: reqs[i].Xid, Zxid: e.Zxid(), Err: code}, nil)
	}
	now := e.Now()
	e.Metrics.Sent.Add(int64(len(reqs)))
	last := &reqs[len(reqs)-1]
	c.mu.Lock()
	c.Stats.answered(last.Op, last.Xid, e.Zxid(), int64(len(reqs)), 0, now)
	c.mu.Unlock()
}

// put waits until there is room in flight, and enters s.
func (q *queue) put(s *submission) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for (q.paused || q.bytes > q.limit) && !q.closing && !q.failed && !q.refusing {
		q.waitRoom++
		q.room.Wait()
		q.waitRoom--
	}
	switch {
	case q.closing || q.failed:
		return ErrClosed
	case q.refusing || s.client != nil && s.client.role.Load() != q.role:
		return ErrNotServing
	}
	q.submit(s)
	return nil
}

// push enters what is asked of the leader of an epoch, however much is in flight: who
// calls it must not wait. It waits for that epoch, and is dropped behind it.
func (q *queue) push(s *submission, epoch int64) { q.line(s.owner, epoch, step{writes: s}) }

// submit enters s and counts its writes as in flight. The lock is held: so none
// is counted after refuse.
func (q *queue) submit(s *submission) {
	q.inFlight.Add(int64(s.writes()))
	q.enter(s)
}

// refuse lets nothing in until accept, and drops what is there.
func (q *queue) refuse() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.refusing, q.holding = true, false
	for _, s := range q.list {
		q.bytes -= s.size
	}
	clear(q.list)
	clear(q.lines)
	q.list, q.count = q.list[:0], 0
	q.room.Broadcast()
}

// accept lets writes in again, of clients that came in the role of this number, and
// of learners of this epoch. list is let in before them. It gives the syncs that need
// not wait.
func (q *queue) accept(role uint64, epoch int64, list []*submission) (syncs []func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.refusing, q.holding, q.role, q.epoch = false, false, role, epoch
	q.pace = pace{}
	for _, s := range list {
		q.submit(s)
	}
	for _, early := range q.early {
		if early.epoch == epoch {
			syncs = append(syncs, q.lineUp(early.owner, early.step)...)
		}
	}
	q.early = nil
	q.wake()
	return syncs
}

// hold gives the writer nothing, or something again.
func (q *queue) hold(on bool) {
	q.mu.Lock()
	q.holding = on
	q.wake()
	q.mu.Unlock()
}

// park lets nothing in, and keeps those submissions that stay says yes to.
func (q *queue) park(stay func(*submission) bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.refusing, q.holding = true, true
	kept := q.list[:0]
	for _, s := range q.list {
		if stay(s) {
			kept = append(kept, s)
			continue
		}
		q.leave(s)
	}
	clear(q.list[len(kept):])
	clear(q.lines)
	q.list = kept
	q.room.Broadcast()
}

// unpark gives what was kept.
func (q *queue) unpark() []*submission {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := q.list
	for _, s := range list {
		q.leave(s)
	}
	q.list, q.holding = nil, false
	return list
}

// leave counts a submission no more. The lock is held.
func (q *queue) leave(s *submission) {
	n := s.writes() - s.done
	q.bytes -= s.size
	q.count -= n
	q.inFlight.Add(-int64(n))
}

// giveBack puts what was taken and not prepared before all else.
func (q *queue) giveBack(list []*submission) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, s := range list {
		q.count += s.writes() - s.done
	}
	q.list = append(slices.Clone(list), q.list...)
}

// last enters s and lets nothing in behind it until resume.
func (q *queue) last(s *submission) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closing || q.failed:
		return ErrClosed
	case q.paused:
		return ErrReplacing
	}
	q.paused = true
	q.enter(s)
	return nil
}

// enter wakes the writer for s. The lock is held.
func (q *queue) enter(s *submission) {
	q.list = append(q.list, s)
	q.bytes += s.size
	q.count += s.writes()
	q.wake()
}

// wake wakes the writer if it is time. The lock is held.
func (q *queue) wake() {
	if q.waiting && q.ripe() {
		q.waiting = false
		q.work.Signal()
	}
}

// ripe tells whether the writer shall begin. The lock is held.
func (q *queue) ripe() bool {
	return q.closing || !q.holding && len(q.list) > 0 && q.pace.ripe(q.count)
}

// await waits until the writer shall begin. It is false if the queue is closed,
// and empty.
func (q *queue) await() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.ripe() {
		q.waiting = true
		q.work.Wait()
	}
	return len(q.list) > 0
}

// fly notes that the members are at work on a batch.
func (q *queue) fly(b *batch, now time.Duration) {
	q.mu.Lock()
	q.pace.fly(b, now)
	q.mu.Unlock()
}

// land notes that n of the writes that fly are committed.
func (q *queue) land(n int, now time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if wait := q.pace.land(n, now); wait > 0 && !q.ripe() {
		q.expireAfter(wait)
	}
	q.wake()
}

// expireAfter ends the wait for clients that do not come back. The lock is held.
func (q *queue) expireAfter(wait time.Duration) {
	if q.patience == nil {
		q.patience = time.AfterFunc(wait, q.expire)
	} else {
		q.patience.Reset(wait)
	}
}

func (q *queue) expire() {
	q.mu.Lock()
	q.pace.expire()
	q.wake()
	q.mu.Unlock()
}

// take takes all submissions in exchange for an empty list. It is false if there
// are none.
func (q *queue) take(list []*submission) ([]*submission, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.list) == 0 || q.holding && !q.closing {
		return list, false
	}
	list, q.list = q.list, list
	q.count = 0
	if q.pace.take() && q.patience != nil {
		q.patience.Stop()
	}
	return list, true
}

// writes is how many were submitted and not taken.
func (q *queue) writes() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count
}

// done gives back the room of n bytes that were taken.
func (q *queue) done(n int) {
	q.mu.Lock()
	q.bytes -= n
	if q.waitRoom > 0 && q.bytes <= q.limit {
		q.room.Broadcast()
	}
	q.mu.Unlock()
}

// fail ends the queue: what was submitted is never answered.
func (q *queue) fail(err error) {
	q.mu.Lock()
	q.failed, q.err = true, err
	q.room.Broadcast()
	q.mu.Unlock()
}

// close lets nothing in any more.
func (q *queue) close() {
	q.mu.Lock()
	q.closing = true
	if q.patience != nil {
		q.patience.Stop()
	}
	q.wake()
	q.room.Broadcast()
	q.mu.Unlock()
}

// resume lets writes in again.
func (q *queue) resume() {
	q.mu.Lock()
	q.paused = false
	q.room.Broadcast()
	q.mu.Unlock()
}
