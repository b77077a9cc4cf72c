package request

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/quollhq/quoll/internal/arena"
	"github.com/quollhq/quoll/internal/session"
)

// LocalOwner is the owner of sessions whose clients are connected to this
// server.
const LocalOwner session.Owner = 1

// syncAside is from how many queued writes on the log is synced by a goroutine
// of its own, so that the writer can prepare them meanwhile.
const syncAside = 64

// flushers is how many goroutines send for the writer: a change that thousands
// wait for is theirs to tell.
const flushers = 2

// pipeline is the way of a write, see the package's comment.
//
// One goroutine, the writer, takes a batch of writes all the way. Preparing and
// committing in goroutines of their own, each working on another batch, does more
// at once but is slower on two processors: a transaction then moves from one's
// cache to the other's, and waking a goroutine costs as much as several writes.
// The disk alone is waited for aside.
type pipeline struct {
	e     *Engine
	queue queue

	// The writer's.
	prep    preparer
	taken   []*submission // from the queue; those before next are prepared
	next    int
	batch   *batch      // the one being filled
	memory  arena.Arena // of what is proposed
	other   *batch      // the one before, empty once it is done
	number  uint32      // of the batch among those that were proposed; so large at first that 0 is none of late
	commit  committer
	syncs   chan struct{} // to runSync
	syncErr chan error    // its answer
	synced  atomic.Bool   // the answer is there, or all but

	term   sync.Mutex // held by the writer while it makes proposals, and by who changes the role
	flight flight

	inFlight  atomic.Int64
	preparing atomic.Int64  // writes in the batch that is being made durable
	roll      atomic.Bool   // the next batch starts a new log file
	putOff    atomic.Int32  // of a snapshot that is due by count: notPutOff, putOff or early
	over      chan struct{} // closed when the writer has ended
	flushes   chan []*Client
	spare     sync.Pool // of lists for flushes

	// watchers finds the client of a watcher; changed under the tree's lock.
	watchers []*Client
}

func (p *pipeline) init(e *Engine) {
	p.e = e
	p.queue.init(e.MaxInFlight, &p.inFlight)
	if e.Ensemble != nil {
		p.become(resting)
		p.queue.refusing = true
	}
	p.over = make(chan struct{})
	p.flushes = make(chan []*Client, 16)
	p.batch, p.other, p.number = new(batch), new(batch), paceWindow+1
	p.syncs, p.syncErr = make(chan struct{}), make(chan error, 1)
	p.prep = preparer{e: e, overlay: newOverlay(), zxid: e.Tree.Zxid(), digest: e.Tree.Digest()}
	p.commit = committer{e: e, p: p, visits: visits{all: &e.Metrics.namespaces, writes: true}}
	p.commit.plan()
	p.commit.logged = e.Logged
}

// run is the writer: it takes batch after batch all the way, until the pipeline
// is closed and everything is done, or it fails.
func (p *pipeline) run() {
	defer p.e.done.Done()
	defer close(p.over)
	defer close(p.flushes)
	defer close(p.syncs)
	for p.await() {
		if p.e.Ensemble != nil {
			p.propose()
			continue
		}
		p.fill(nil)
		b := p.batch
		p.batch, p.other = p.other, b
		p.preparing.Store(int64(len(b.items)))
		if b.records > 0 {
			if err := p.persist(b); err != nil {
				p.fail(err)
				return
			}
		}
		p.commit.batch(b)
		p.recycle(b)
	}
}

// await waits until there is something to do. It is false at the end.
func (p *pipeline) await() bool {
	// What an ensemble's member takes belongs to a role: propose leaves nothing.
	if p.e.Ensemble == nil && (p.next < len(p.taken) || !p.batch.empty()) {
		return true
	}
	return p.queue.await()
}

// take takes what is queued. The list is empty, or prepared.
func (p *pipeline) take() (more bool) {
	p.taken, more = p.queue.take(p.taken[:0])
	p.next = 0
	return more
}

// fill adds to the current batch what is queued, until it is full, or until
// enough says so.
func (p *pipeline) fill(enough *atomic.Bool) {
	p.prep.overlay.retire(p.e.zxid.Load())
	for !p.batch.full() && (enough == nil || !enough.Load()) {
		if p.next == len(p.taken) && !p.take() {
			return
		}
		if p.prepare(p.taken[p.next]) {
			p.taken[p.next] = nil
			p.next++
		}
	}
}

// prepare makes transactions of one submission. It is false if the batch is full
// before the end: then the rest is to be prepared later.
func (p *pipeline) prepare(s *submission) bool {
	t := p.e.Tree
	p.prep.now = max(p.prep.now, millis(s.when))
	t.RLock(0)
	if s.own != nil {
		s.own(s.when)
	}
	t.Near(len(s.reqs)-s.done, func(i int) []byte { return s.reqs[s.done+i].Body })
	t.Near(len(s.remote)-s.done, func(i int) []byte { return s.remote[s.done+i].Body })
	when := s.when.Sub(p.e.began)
	for ; s.done < len(s.reqs) && !p.batch.full(); s.done++ {
		p.request(s.client, &s.reqs[s.done], when)
	}
	for ; s.done < len(s.remote) && !p.batch.full(); s.done++ {
		p.forwarded(s.owner, &s.remote[s.done], when)
	}
	t.RUnlock(0)
	if s.done < max(len(s.reqs), len(s.remote)) {
		return false
	}
	p.batch.taken += s.size
	if len(s.remote) > 0 {
		p.batch.learners = append(p.batch.learners, s.owner)
	}
	s.recycle()
	return true
}

// persist makes a batch durable. Meanwhile the next one is begun if much is
// queued: for little, it is not worth waking a goroutine.
func (p *pipeline) persist(b *batch) error {
	if p.roll.Swap(false) {
		if err := p.e.Log.Roll(); err != nil {
			return fmt.Errorf("roll transaction log: %w", err)
		}
	}
	if err := p.e.Log.Append(b.buf, b.first, b.last, b.records); err != nil {
		return fmt.Errorf("write transaction log: %w", err)
	}
	var err error
	if p.queue.writes() < syncAside {
		err = p.e.Log.Sync()
	} else {
		p.synced.Store(false)
		p.syncs <- struct{}{}
		p.fill(&p.synced)
		err = <-p.syncErr
	}
	if err != nil {
		return fmt.Errorf("sync transaction log: %w", err)
	}
	p.e.Metrics.Batches.Add(int64(len(b.items)))
	p.e.Metrics.Proposals.Add(int64(b.records))
	return nil
}

// runSync syncs the log for the writer, which touches it no more until it is
// told the outcome.
func (p *pipeline) runSync() {
	defer p.e.done.Done()
	for range p.syncs {
		err := p.e.Log.Sync()
		p.synced.Store(true)
		p.syncErr <- err
	}
}

// fail ends the pipeline: what is not durable by now is never answered.
func (p *pipeline) fail(err error) {
	p.queue.fail(err)
	p.e.fails <- err
}

// recycle empties the batch and lets others in instead.
func (p *pipeline) recycle(b *batch) {
	// A batch that grew around a few large requests would hold that memory for
	// good.
	const keep = 1 << 20
	taken := b.taken
	b.reset()
	if cap(b.buf) > keep {
		b.buf = nil
	}
	p.queue.done(taken)
}

// runFlush sends what the writer put into outboxes, when that is
// much.
func (p *pipeline) runFlush() {
	defer p.e.done.Done()
	for list := range p.flushes {
		send(list)
		p.spare.Put(&list)
	}
}

// send sends what the clients' outboxes hold, and forgets them.
func send(list []*Client) {
	for i, c := range list {
		c.Conn.Flush()
		list[i] = nil
	}
}
