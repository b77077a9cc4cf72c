package request

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/quollhq/quoll/internal/audit"
	"github.com/quollhq/quoll/internal/failpoint"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/tally"
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/txn"
	"github.com/quollhq/quoll/internal/watch"
)

// commitChunk is after how many transactions readers get their turn, or the next
// client's begin, but twice as many at most.
const commitChunk = 64

// flushChunk is from how many replies on they are sent, so that their clients go
// on while the rest of the batch is applied.
const flushChunk = 128

// flushHere is how many clients the writer sends to itself. More are left to
// another goroutine, so that the disk has work meanwhile.
const flushHere = 64

// tellChunk is how many watchers of one change are told before the first of them
// are sent it.
const tellChunk = 512

// committer applies what is durable. It is the writer's.
type committer struct {
	e        *Engine
	p        *pipeline
	tx       txn.Txn
	res      tree.Result
	logged   int   // transactions since the last snapshot
	bytes    int64 // of log since the last snapshot
	limit    int
	size     int64
	spread   float64 // of worth, from 3/4 to 5/4
	late     bool    // a snapshot is due, and waits for the one before
	now      time.Time
	row      row       // replies that are not in an outbox yet
	dirty    []*Client // got something that is not sent
	unsent   int       // transactions since the last flush
	answered int       // writes that are in flight no more, and are not counted off
	landed   int       // transactions that this leader has proposed, of those being applied
	flown    [commitChunk]flown
	sizes    frameSizes // of the replies to the batch
	ages     tally.Ages // of what is applied
	visits   visits

	// The change being told to watchers.
	event []byte // the frame
	check acl    // who may know of it
	tellf func(watch.ID)
	told  int
	ch    *tree.Change

	run run
}

// plan draws when the next snapshot is due, so that the members of an ensemble
// do not all write theirs at once.
func (c *committer) plan() {
	half := max(c.e.SnapCount/2, 1)
	c.limit = half + c.e.Rand.IntN(half)
	if c.e.SnapSize > 0 {
		c.size = c.e.SnapSize/2 + c.e.Rand.Int64N(c.e.SnapSize/2+1)
	}
	c.spread = 0.75 + c.e.Rand.Float64()/2
	c.logged, c.bytes, c.late = 0, 0, false
	c.p.putOff.Store(notPutOff)
	c.tellf = c.tell
}

// batch applies a durable batch and answers it.
func (c *committer) batch(b *batch) {
	c.begin()
	for items := b.items; len(items) > 0; {
		n := chunk(items)
		c.e.Tree.Lock()
		for i := range items[:n] {
			c.item(b, &items[i])
		}
		c.answered += n
		c.turn(n)
		items = items[n:]
	}
	c.applied(b.records, len(b.buf))
	if b.after != nil {
		b.after()
		return
	}
	c.snapshotIfDue()
}

// begin starts a batch.
func (c *committer) begin() {
	c.now = c.e.Now()
	c.ages = tally.AgesTo(&c.e.Metrics.Propagation, millis(c.now))
}

// turn gives readers theirs, after n transactions: it unlocks the tree. Many
// replies are sent at once.
func (c *committer) turn(n int) {
	c.handOver()
	c.e.zxid.Store(c.e.Tree.Zxid())
	c.p.inFlight.Add(-int64(c.answered)) // before Rest can forget them
	c.answered = 0
	c.e.Tree.Unlock()
	c.count()
	if c.unsent += n; c.unsent >= flushChunk {
		c.flush()
	}
}

// applied sends what is left, and counts transactions and their bytes of log.
func (c *committer) applied(n, bytes int) {
	c.flush()
	c.e.Metrics.Commits.Add(int64(n))
	c.e.Metrics.responses.add(&c.sizes)
	c.ages.Flush()
	c.visits.flush()
	c.logged += n
	c.bytes += int64(bytes)
}

func (c *committer) snapshotIfDue() {
	if c.p.putOff.Load() == early {
		c.plan()
	}
	if c.logged >= c.limit || c.size > 0 && c.bytes >= c.size {
		c.snapshot()
	}
}

// chunk is how many of the items are applied at once. The replies to a run of one
// client's stay together: if they were sent in two pieces, it would send its next
// requests in two, and those would be split again, down to a system call for each.
func chunk(items []item) int {
	n := min(len(items), commitChunk)
	for n < min(len(items), 2*commitChunk) && items[n].client == items[n-1].client {
		n++
	}
	return n
}

// flush sends what the clients got.
func (c *committer) flush() {
	c.unsent = 0
	if len(c.dirty) > flushHere {
		c.leave()
		return
	}
	for _, cl := range c.dirty {
		cl.dirty = false
	}
	send(c.dirty)
	c.dirty = c.dirty[:0]
}

// leave leaves the clients to other goroutines, which send what they got.
func (c *committer) leave() {
	for _, cl := range c.dirty {
		cl.dirty = false
	}
	c.p.flushes <- c.dirty
	if l, ok := c.p.spare.Get().(*[]*Client); ok {
		c.dirty = (*l)[:0]
	} else {
		c.dirty = make([]*Client, 0, 2*flushHere)
	}
}

func (c *committer) touch(cl *Client) {
	if !cl.dirty {
		cl.dirty = true
		c.dirty = append(c.dirty, cl)
	}
}

// item applies one transaction and answers it. The tree's lock is held.
func (c *committer) item(b *batch, it *item) {
	c.res.Code = proto.OK
	if it.n > 0 {
		if err := txn.Decode(b.buf[it.off:it.off+it.n], &c.tx); err != nil {
			panic(fmt.Sprintf("own transaction does not decode: %v", err))
		}
		c.apply(it.known)
	}
	c.sessionEvent(it)
	if c.e.Audit.Enabled() {
		c.audit(it)
	}
	if it.client != nil {
		c.answer(it)
	}
}

// apply changes the tree and tells the watchers, unless that shows that the tree
// is not the one that the transaction was made for, and somebody wants to know.
func (c *committer) apply(k tree.Known) *Difference {
	c.e.Tree.ApplyKnown(&c.tx, k, &c.res)
	if c.tx.Zxid%digestEvery == 0 && c.e.DigestEnabled {
		c.e.digests.add(c.tx.Zxid, c.e.Tree.Digest())
	}
	c.ages.Add(c.tx.Time, 1)
	c.wrote()
	if c.res.Mismatch {
		c.e.Metrics.DigestMismatches.Add(1)
		if d := (&Difference{c.tx.Zxid, c.res.Want, c.res.Digest}); c.e.Differs != nil && c.e.Differs(d) {
			return d // who wants to know logs it
		}
		c.e.Logger.Error("digest of the tree differs from the one in the transaction",
			"zxid", fmt.Sprintf("0x%x", uint64(c.tx.Zxid)), "transaction", fmt.Sprintf("%x", c.res.Want), "tree", fmt.Sprintf("%x", c.res.Digest))
	}
	if c.e.Watches.Empty() {
		return nil
	}
	for i := range c.res.Changes {
		c.fire(&c.res.Changes[i])
	}
	return nil
}

// fire tells everybody who waits for a change and may know of it. The frame is
// encoded once, when the first watcher turns up.
func (c *committer) fire(ch *tree.Change) {
	c.handOver() // the replies before come first
	c.event = c.event[:0]
	c.check = nil
	if ch.ACLID != tree.OpenACL {
		c.check = c.e.acls.Get(ch.ACLID, c.e.Tree.ACLByID(ch.ACLID))
	}
	c.told = 0
	c.ch = ch
	c.e.Watches.Fire(ch.Path, ch.Type, c.tellf)
	if c.told > 0 {
		c.e.Metrics.event(ch.Type, c.told, len(c.event))
	}
}

// tell puts the event into the outbox of one watcher.
func (c *committer) tell(id watch.ID) {
	if int(id) >= len(c.p.watchers) {
		return
	}
	cl := c.p.watchers[id]
	if cl == nil || c.check != nil && !c.check.Allows(proto.PermRead, cl.IDs()) {
		return
	}
	if len(c.event) == 0 {
		c.event = appendEvent(c.event, c.tx.Zxid, c.ch.Type, c.ch.Path)
	}
	c.told++
	cl.mu.Lock()
	if !cl.closed {
		cl.Outbox.event(c.event)
		cl.Stats.Sent.Add(1)
	}
	cl.mu.Unlock()
	c.touch(cl)
	// Only the writer puts lists there: it does not wait while it holds the tree.
	if len(c.dirty) >= tellChunk && len(c.p.flushes) < cap(c.p.flushes) {
		c.leave()
	}
}

// appendEvent encodes a whole notification frame.
func appendEvent(b []byte, zxid int64, t proto.EventType, path string) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	b = proto.ReplyHeader{Xid: proto.XidNotification, Zxid: zxid}.Append(b)
	b = (&proto.WatcherEvent{Type: t, State: proto.StateSyncConnected, Path: path}).Append(b)
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

// sessionEvent keeps the table of sessions in step with the log.
func (c *committer) sessionEvent(it *item) {
	switch it.op {
	case proto.OpCreateSession:
		failpoint.Pass(failpoint.SessionCreate)
		c.e.Live[c.tx.ClientID] = c.tx.TimeOut
		if c.e.Ensemble != nil {
			c.e.Sessions.Commit(c.tx.ClientID, c.tx.TimeOut, c.e.Clock())
		}
	case proto.OpCloseSession:
		c.handOver()
		id := c.tx.ClientID
		delete(c.e.Live, id)
		c.e.Sessions.Remove(id)
		if it.client == nil && c.e.SessionClosed != nil {
			c.e.SessionClosed(id)
		}
	}
}

// moved tells whether a multi was refused because the session has moved. That is
// not for the client to be told, who may have come back here meanwhile by another
// way: its connection ends, and the next one is asked about anew.
func (c *committer) moved() bool {
	for i := range c.res.Multi {
		if c.res.Multi[i].Code == proto.SessionMoved {
			return true
		}
	}
	return false
}

// body encodes what a successful write answers.
func (c *committer) body(b []byte, op proto.Op) []byte {
	switch op {
	case proto.OpCreate:
		return appendPath(b, c.res.Path)
	case proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
		return c.res.Stat.Append(appendPath(b, c.res.Path))
	case proto.OpSetData, proto.OpSetACL:
		return c.res.Stat.Append(b)
	case proto.OpReconfig:
		return c.res.Stat.Append(jute.AppendBuffer(b, c.tx.Data))
	case proto.OpMulti:
		return c.multiBody(b)
	}
	return b
}

func (c *committer) multiBody(b []byte) []byte {
	for i := range c.res.Multi {
		r := &c.res.Multi[i]
		switch r.Type {
		case proto.OpCreate:
			b = proto.MultiHeader{Type: r.Type}.Append(b)
			b = appendPath(b, r.Path)
		case proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
			b = proto.MultiHeader{Type: proto.OpCreate2}.Append(b)
			b = r.Stat.Append(appendPath(b, r.Path))
		case proto.OpSetData:
			b = proto.MultiHeader{Type: r.Type}.Append(b)
			b = r.Stat.Append(b)
		case proto.OpError:
			b = proto.MultiHeader{Type: r.Type, Err: r.Code}.Append(b)
			b = binary.BigEndian.AppendUint32(b, uint32(r.Code))
		default: // check, delete
			b = proto.MultiHeader{Type: r.Type}.Append(b)
		}
	}
	return proto.AppendMultiEnd(b)
}

func appendPath(b []byte, path string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(path)))
	return append(b, path...)
}

// snapshot has a snapshot written, unless the log is still short beside the
// last one: then it waits, if it is not very short, for a quiet moment.
func (c *committer) snapshot() {
	if c.e.Snapshots == nil {
		return
	}
	if last := c.e.Snapshots.Size(); (c.size <= 0 || c.bytes < c.size) && float64(c.bytes) < c.spread*worth(last) {
		if c.bytes >= last {
			c.p.putOff.CompareAndSwap(notPutOff, putOff)
		} else {
			c.p.putOff.CompareAndSwap(putOff, notPutOff)
		}
		return
	}
	if c.e.Snapshots.Due(func() (Frozen, bool) { return c.e.freeze(), true }) {
		c.plan()
		return
	}
	// It is due again after a quarter of the way: snapshots without a pause leave the disk none.
	c.logged = min(c.logged, c.limit*3/4)
	if c.size > 0 {
		c.bytes = min(c.bytes, c.size*3/4)
	}
	if !c.late {
		c.late = true
		c.e.Logger.Warn("a snapshot is due, and the one before is still being written: is the disk slow, or snapCount small?")
	}
}

// worth is how many bytes of log a snapshot of so many bytes is worth: as long as
// the log is shorter, the next one is not due. A start replays a byte of the log in
// the time in which it loads one of a snapshot, or less. So a snapshot that is
// written early spares it little, and writing one takes processor, memory and disk
// from the writes that it stands for. The log may be thrice as long as the
// snapshot while both are soon read, as long as it where they are not.
func worth(snapshot int64) float64 {
	const (
		times = 3
		soon  = 512 << 20 // is read in 0.8 to 1.3 s
	)
	return float64(max(snapshot, min(times*snapshot, soon)))
}

// freeze is the state as of now. Transactions may come while it is called, and are in it,
// or behind it.
func (e *Engine) freeze() Frozen {
	failpoint.Pass(failpoint.Freeze)
	e.Tree.Lock()
	defer e.Tree.Unlock()
	return e.freezeLocked()
}

// freezeLocked is freeze for who holds the tree's lock.
func (e *Engine) freezeLocked() Frozen {
	if e.Ensemble != nil {
		e.Ensemble.Roll()
	} else {
		e.pipe.roll.Store(true)
	}
	sessions := make(map[int64]int32, len(e.Live))
	for id, timeout := range e.Live {
		sessions[id] = timeout
	}
	return Frozen{View: e.Tree.Freeze(), Sessions: sessions}
}

// Freeze is the state of the server at this moment.
func (e *Engine) Freeze() Frozen { return e.freeze() }

// audit logs who wrote what, and the ephemerals that went with a session.
func (c *committer) audit(it *item) {
	if it.op == proto.OpCloseSession {
		c.e.Audit.EphemeralsDeleted(c.tx.ClientID, c.tx.Paths, nil)
		return
	}
	if it.audit == nil || it.client == nil {
		return
	}
	o := audit.Outcome{Refused: it.code != proto.OK, Code: it.code}
	if !o.Refused {
		o.Code, o.Path = c.res.Code, c.res.Path
		for i := range c.res.Multi {
			o.Parts = append(o.Parts, audit.Part{Op: c.res.Multi[i].Type, Path: c.res.Multi[i].Path})
		}
	}
	c.e.Audit.Request(c.e.AuditClient(it.client), it.audit, &o)
}
