package request

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/internal/auth"
	"github.com/quollhq/quoll/internal/failpoint"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/session"
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/txn"
)

// ErrNotServing is the answer of a member that neither leads nor follows.
var ErrNotServing = errors.New("this member does not serve")

// Ensemble is the agreement that a member's engine brings its transactions to.
// What comes of it is told by the engine's Commit, Synced, Confirmed and
// Renewed, in the order of what was agreed. Its methods but Propose do not wait.
type Ensemble interface {
	// Propose puts a batch before the members. It waits while too much is under way, and
	// fails once this member does not lead any more.
	Propose(Proposal) error
	// Reconfigure is the configuration that comes of a change by the transaction
	// zxid, if that can be proposed next. It does not wait for other members.
	Reconfigure(r *proto.ReconfigRequest, zxid int64) (config []byte, code proto.Code)
	// Forward sends requests to the leader. They are the caller's again when it
	// returns.
	Forward(list []Forwarded)
	// Confirm asks for Confirmed, once a quorum has said that this member leads, and
	// what was committed by then is applied.
	Confirm(token uint64)
	// Revalidate asks the leader for Renewed.
	Revalidate(session int64, timeout int32)
	// Roll makes the next transaction begin a new file of the log.
	Roll()
}

// Proposal is a batch of transactions.
type Proposal struct {
	// Records are framed, with some room behind them. They are the ensemble's until it
	// gives the memory that they lie in back.
	Records []byte
	// Filled, if not nil, is memory that the records of earlier proposals lie in, and of
	// none that comes: Engine.Free is to be called once nobody reads them any more, or
	// not at all.
	Filled []byte
	// Config, if not nil, is the configuration that the last of the records brings.
	Config []byte
}

// Forwarded is a request on its way from a learner to its leader.
type Forwarded struct {
	Session int64
	Xid     int32
	Op      proto.Op
	Body    []byte
	IDs     []auth.ID
}

// role is what the engine does with writes.
type role int32

const (
	alone     role = iota // logs and applies them
	resting               // takes none
	between               // takes none, and keeps clients until there is another leader
	leading               // proposes them
	following             // forwards them
	reading               // refuses them: it has no quorum
)

// become changes the role and forgets what waits.
func (p *pipeline) become(r role) {
	f := &p.flight
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turn(r)
	f.forget()
}

// Lead lets the engine propose what clients and learners ask for, from the
// transaction with this zxid on. All sessions are heard of now, and nobody's but
// those of clients that were kept.
func (e *Engine) Lead(next int64) {
	p, f := &e.pipe, &e.pipe.flight
	p.term.Lock()
	defer p.term.Unlock()
	p.memory.Drop() // what lies in it was proposed in another term
	p.prep.overlay = newOverlay()
	p.prep.zxid, p.prep.digest = next-1, e.Tree.Digest()
	f.mu.Lock()
	defer f.mu.Unlock()
	kept, sessions := e.keptClients()
	e.Sessions.Renew(e.Clock(), sessions)
	f.turn(leading)
	for _, c := range kept {
		c.Session.SetOwner(LocalOwner)
		c.role.Store(f.number)
	}
	call(p.queue.accept(f.number, next>>32, p.again()))
	f.forget()
}

// ReadOnly lets the engine answer reads of clients that know that it has no
// quorum. The state may lack what was acknowledged elsewhere, and hold what never
// was.
func (e *Engine) ReadOnly() {
	e.Sessions.Renew(e.Clock(), nil)
	e.pipe.become(reading)
}

// ReadsOnly tells whether writes are refused for want of a quorum.
func (e *Engine) ReadsOnly() bool { return e.pipe.flight.role.Load() == reading }

// Follow lets the engine forward what clients ask for.
func (e *Engine) Follow() {
	p, f := &e.pipe, &e.pipe.flight
	f.mu.Lock()
	defer f.mu.Unlock()
	kept, sessions := e.keptClients()
	e.Sessions.Renew(e.Clock(), sessions)
	f.turn(following)
	for _, c := range kept {
		c.role.Store(f.number)
	}
	p.forwardAgain()
}

// Rest makes the engine forget what is under way and take nothing. Proposals of
// the ensemble fail by now. The caller ends the connections of clients.
func (e *Engine) Rest() {
	p := &e.pipe
	p.become(resting)
	p.queue.refuse()
	p.term.Lock()
	defer p.term.Unlock()
	e.Tree.Lock() // what was answered by now is counted
	p.inFlight.Store(0)
	e.Tree.Unlock()
	e.mu.Lock()
	clear(e.left)
	e.mu.Unlock()
}

// Serving tells whether clients are served.
func (e *Engine) Serving() bool { return e.pipe.flight.role.Load().serves() }

func (r role) serves() bool { return r != resting && r != between }

// Enter lets a client in, in the present role; it is false if nobody is served,
// or nobody by a leader.
// Once the role has changed, the client's writes are refused: those it sent
// before may be lost, and the order among them must not be.
func (e *Engine) Enter(c *Client) bool {
	f := &e.pipe.flight
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.role.Load()
	c.role.Store(f.number)
	c.ReadOnly = r == reading
	return r.serves() && !(r == leading && e.LeaderRefuses)
}

// Closing marks the session of a client that has asked for its end, unless
// another member decides about it by now.
func (e *Engine) Closing(c *Client) {
	f := &e.pipe.flight
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.role.Load() == f.number && e.Leads() {
		e.Sessions.SetClosing(c.Session.ID())
	}
}

// Leads tells whether this server decides: alone, or as the leader.
func (e *Engine) Leads() bool {
	r := e.pipe.flight.role.Load()
	return r == alone || r == leading
}

// Member tells whether the server is one of an ensemble.
func (e *Engine) Member() bool { return e.Ensemble != nil }

// propose makes proposals of all that was taken from the queue.
func (p *pipeline) propose() {
	p.term.Lock()
	defer p.term.Unlock()
	for p.flight.role.Load() == leading {
		p.fill(nil)
		b := p.batch
		if b.empty() {
			return
		}
		p.queue.fly(b, p.e.Now().Sub(p.e.began))
		p.number++
		p.flight.mu.Lock()
		if p.flight.role.Load() == leading {
			p.flight.led.push(b.items...)
		}
		p.flight.mu.Unlock()
		proposal, learners := p.copyOut(b), b.learners
		if proposal.Config != nil {
			p.holdForConfig()
		}
		p.e.Metrics.Batches.Add(int64(len(b.items)))
		p.e.Metrics.Proposals.Add(int64(b.records))
		p.recycle(b)
		if err := p.e.Ensemble.Propose(proposal); err != nil {
			break
		}
		p.queue.proposed(learners)
		if p.next == len(p.taken) {
			return
		}
	}
	p.drop()
}

// copyOut copies a batch's records into memory that the ensemble may keep, with room for
// what the log writes behind them. The batch's own grows to what is usual, and stays in the
// processor's cache.
func (p *pipeline) copyOut(b *batch) Proposal {
	const behind = 1 << 10
	b.buf = slices.Grow(b.buf, behind)
	records, filled := p.memory.Copy(b.buf, behind)
	return Proposal{Records: records, Filled: filled, Config: b.config}
}

// Free takes back memory that was Proposal.Filled. It does not wait.
func (e *Engine) Free(filled []byte) { e.pipe.memory.Free(filled) }

// drop forgets what was submitted: this member does not lead.
func (p *pipeline) drop() {
	for p.next < len(p.taken) || p.take() {
		p.batch.taken += p.taken[p.next].size
		p.taken[p.next] = nil
		p.next++
	}
	p.recycle(p.batch)
}

// Remote takes requests that a learner has forwarded to the leader of this epoch,
// in order, with bodies that are copied. The ensemble's commits are the answers. What
// comes before the engine leads in that epoch waits for it; what comes behind is
// dropped: by then the learner may have sent it to another leader.
func (e *Engine) Remote(owner session.Owner, epoch int64, list iter.Seq[Forwarded]) {
	s := submissions.Get().(*submission)
	s.begin(nil, e.Now(), usualBodies)
	s.owner = owner
	for f := range list {
		f.Body = s.keep(f.Body)
		s.remote = append(s.remote, f)
	}
	e.pipe.queue.push(s, epoch)
}

// RemoteSync calls ask once all that the learner has forwarded so far to the leader of
// this epoch is proposed: at once, or by the writer, which ask must not keep waiting.
// What the learner forwards behind it waits for Answered, if it holds. If this member
// leads no more before that, it is dropped.
func (e *Engine) RemoteSync(owner session.Owner, epoch int64, holds bool, ask func()) {
	e.pipe.queue.line(owner, epoch, step{sync: ask, holds: holds})
}

// Answered tells that the learner is sent the answer to the first of its syncs that
// has none. It does not wait.
func (e *Engine) Answered(owner session.Owner) { e.pipe.queue.answered(owner) }

// Left tells that the learner has gone. It does not wait.
func (e *Engine) Left(owner session.Owner) { e.pipe.queue.forget(owner) }

// forwarded prepares one of the requests that a learner has forwarded.
func (p *pipeline) forwarded(owner session.Owner, f *Forwarded, when time.Duration) {
	pr := &p.prep
	pr.asker, pr.owner, pr.session, pr.ids = p.e.Sessions.Get(f.Session), owner, f.Session, f.IDs
	p.seen(pr.asker)
	it := item{xid: f.Xid, op: f.Op, when: when}
	if f.Op == proto.OpCreateSession {
		p.createRemote(&it, f)
		return
	}
	p.enter(&it, &Request{Xid: f.Xid, Op: f.Op, Body: f.Body})
}

// createRemote opens a session at a learner.
func (p *pipeline) createRemote(it *item, f *Forwarded) {
	pr := &p.prep
	d := jute.NewDecoder(f.Body)
	timeout := d.Int()
	pr.zxid++
	if d.Err() != nil || timeout <= 0 {
		p.refuse(it, proto.MarshallingError)
	} else {
		s, _ := p.e.Sessions.Track(f.Session, timeout, p.e.Clock())
		s.SetOwner(pr.owner)
		pr.body = txn.Body{Type: proto.OpCreateSession, TimeOut: timeout}
		p.log(it, proto.OpCreateSession, &pr.body)
	}
	p.batch.items = append(p.batch.items, *it)
}

// Heard touches a session whose client a learner has heard of, and that is that
// learner's from then on if it is nobody's. A follower has heard of it from an
// observer, and tells the leader by Touched.
func (e *Engine) Heard(owner session.Owner, id int64, timeout int32) {
	if e.pipe.flight.role.Load() == following {
		e.mu.Lock()
		e.left[id] = timeout
		e.mu.Unlock()
		return
	}
	if s := e.Sessions.Get(id); s != nil {
		e.Sessions.Touch(s, timeout, e.Clock())
		if e.Leads() {
			s.Check(owner)
		}
	}
}

// Own makes a session a learner's, whose client has come there. answer is told
// whether it still is one: before Own returns, or when Hold is over, or never if the
// role changes before. It must not wait.
func (e *Engine) Own(owner session.Owner, id int64, timeout int32, answer func(valid bool)) {
	f := &e.pipe.flight
	f.mu.Lock()
	defer f.mu.Unlock()
	ask := func() { answer(e.own(owner, id, timeout, e.Clock()) != nil) }
	if f.holds > 0 {
		f.withheld = append(f.withheld, ask)
		return
	}
	ask()
}

func (e *Engine) own(owner session.Owner, id int64, timeout int32, now int64) *session.Session {
	s := e.Sessions.Get(id)
	if s == nil || s.Local() && owner != LocalOwner || !e.Sessions.Touch(s, timeout, now) || s.SetOwner(owner) != proto.OK {
		return nil
	}
	return s
}

// Renew is the session that a client brings along, nil if it has ended; a learner
// asks its leader. now is the sessions' clock, in milliseconds. The error is
// ErrNotServing, also once gone is closed.
func (e *Engine) Renew(gone <-chan struct{}, id int64, timeout int32, now int64) (*session.Session, error) {
	failpoint.Pass(failpoint.SessionRenew)
	f := &e.pipe.flight
	s := e.Sessions.Get(id)
	switch {
	case e.Leads():
		return e.renewHere(gone, id, timeout, now)
	case s != nil && s.Local():
		return e.own(LocalOwner, id, timeout, now), nil
	case s == nil && e.ReadsOnly() && e.wasLocal(id):
		return nil, nil
	}
	answer := make(chan bool, 1)
	f.mu.Lock()
	if f.role.Load() != following {
		f.mu.Unlock()
		return nil, ErrNotServing
	}
	f.renews[id] = append(f.renews[id], answer)
	e.Ensemble.Revalidate(id, timeout)
	f.mu.Unlock()
	select {
	case valid, ok := <-answer:
		if !ok {
			return nil, ErrNotServing
		}
		if !valid {
			return nil, nil
		}
		s, _ := e.Sessions.Track(id, timeout, now)
		return s, nil
	case <-gone:
		return nil, ErrNotServing
	}
}

// renewHere is Renew where it is decided.
func (e *Engine) renewHere(gone <-chan struct{}, id int64, timeout int32, now int64) (*session.Session, error) {
	f := &e.pipe.flight
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.holds > 0 {
		changed := f.changed
		f.mu.Unlock()
		select {
		case <-changed:
		case <-gone:
		}
		f.mu.Lock()
		if leaving(gone) {
			return nil, ErrNotServing
		}
	}
	if !e.Leads() {
		return nil, ErrNotServing
	}
	return e.own(LocalOwner, id, timeout, now), nil
}

// Renewed is the leader's answer to a Renew.
func (e *Engine) Renewed(id int64, valid bool) {
	f := &e.pipe.flight
	f.mu.Lock()
	defer f.mu.Unlock()
	waiting := f.renews[id]
	if len(waiting) == 0 {
		return // its client has gone
	}
	waiting[0] <- valid
	if f.renews[id] = waiting[1:]; len(waiting) == 1 {
		delete(f.renews, id)
	}
}

// forward sends writes of a client to the leader. What cannot be decoded is
// answered here: leaders of Apache's may not survive it.
func (p *pipeline) forward(c *Client, reqs []Request, now time.Time) error {
	failpoint.Pass(failpoint.Forward)
	if !p.lineUp(c, reqs, now) {
		return ErrNotServing
	}
	// Others whose clients have just written get their turn: what they line up leaves
	// with this, in one packet for the leader to read.
	runtime.Gosched()
	f := &p.flight
	f.mu.Lock()
	defer f.mu.Unlock()
	p.sendLine()
	return nil
}

// lineUp puts writes on the list of what is to be forwarded. Their bodies must stay
// as they are until that is sent. It is false if the client did not come in this
// role, or that is not to follow.
func (p *pipeline) lineUp(c *Client, reqs []Request, now time.Time) bool {
	f := &p.flight
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.role.Load() != f.number || f.role.Load() != following {
		return false
	}
	c.add(len(reqs))
	p.inFlight.Add(int64(len(reqs)))
	p.line(c, reqs, now.Sub(p.e.began))
	return true
}

// line puts writes of a client behind those of its session that wait, and on the
// list of what is to be forwarded. The flight's lock is held.
func (p *pipeline) line(c *Client, reqs []Request, when time.Duration) {
	f := &p.flight
	id, ids := c.Session.ID(), c.IDs()
	w := f.waiters(id)
	room := p.roomFor(reqs)
	for i := range reqs {
		r := &reqs[i]
		code, instead, up := decodable(r), proto.OK, false
		if code == proto.OK {
			if up, instead = p.e.upgrade(c.Session, r); up {
				p.forwardUpgrade(c, w)
			}
		}
		if code != proto.OK && w.len() == 0 {
			p.inFlight.Add(-1)
			c.replyTo(r.Xid, p.e.Zxid(), code, nil, nil)
			continue
		}
		x := w.add()
		x.client, x.session, x.xid, x.op, x.when = c, c.Session, r.Xid, r.Op, when
		x.code, x.instead, x.lost = code, instead, !room
		if p.e.Audit.Enabled() {
			x.audit = describe(r.Op, bytes.Clone(r.Body))
		}
		if !x.lost {
			x.body = w.keep(r.Body)
			f.bytes += len(x.body)
		}
		if code == proto.OK {
			f.going = append(f.going, Forwarded{Session: id, Xid: r.Xid, Op: r.Op, Body: r.Body, IDs: ids})
		}
	}
	if w.len() == 0 {
		f.empty(id, w)
	}
}

// roomFor tells whether there is room for the bodies of writes that may have to be
// forwarded again.
func (p *pipeline) roomFor(reqs []Request) bool {
	n := 0
	for i := range reqs {
		n += len(reqs[i].Body)
	}
	return p.flight.bytes+n <= p.e.MaxInFlight
}

// sendLine forwards what is on the list. The flight's lock is held.
func (p *pipeline) sendLine() {
	f := &p.flight
	if len(f.going) > 0 {
		p.e.Ensemble.Forward(f.going)
		clear(f.going)
		f.going = f.going[:0]
	}
}

// decodable is the refusal of a write that cannot be decoded.
func decodable(r *Request) proto.Code {
	d := jute.NewDecoder(r.Body)
	switch r.Op {
	case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
		if !skipMultiOp(&d, r.Op) {
			return proto.MarshallingError
		}
	case proto.OpDelete, proto.OpSetData, proto.OpCheck:
		skipMultiOp(&d, r.Op)
	case proto.OpDeleteContainer:
		nodePath(&d)
	case proto.OpSetACL:
		d.AliasString()
		proto.SkipACLs(&d)
		d.Int()
	case proto.OpReconfig:
		new(proto.ReconfigRequest).Decode(&d)
	case proto.OpMulti:
		code, _ := checkMulti(r.Body)
		return code
	}
	if d.Err() != nil {
		return proto.MarshallingError
	}
	return proto.OK
}

// Difference is what a tree differs by from the one that a transaction was made
// for: their digests behind it.
type Difference struct {
	Zxid       int64
	Want, Have uint64
}

// Error implements error.
func (d *Difference) Error() string {
	return fmt.Sprintf("the digest of the tree after transaction 0x%x is %x, and was %x where it was made", uint64(d.Zxid), d.Have, d.Want)
}

// Commit applies transactions that the members agreed upon: n of them, in order.
// One goroutine calls it. The error is a Difference, with which Options.Differs
// was content, and the tree is not to be served any more; or a transaction cannot be
// applied, and the engine has failed.
func (e *Engine) Commit(n int, entry func(i int) []byte) error {
	c := &e.pipe.commit
	c.begin()
	bytes := 0
	for i := 0; i < n; {
		from, end := i, min(i+commitChunk, n)
		chunk := func(k int) []byte { return entry(from + k) }
		e.Tree.Lock()
		e.Tree.Near(end-from, func(k int) []byte { return txn.BodyOf(chunk(k)) })
		flown := c.flown[:end-from]
		c.p.flight.take(flown, chunk)
		for ; i < end; i++ {
			data := entry(i)
			if err := c.agreed(data, &flown[i-from]); err != nil {
				c.giveUp(i - from)
				c.applied(i, bytes)
				if d := (*Difference)(nil); !errors.As(err, &d) {
					e.pipe.fail(err)
				}
				return err
			}
			bytes += len(data)
		}
		e.zxid.Store(e.Tree.Zxid()) // is in what is refused from now on
		c.p.flight.leave(flown, c)
		clear(flown) // they hold on to clients
		c.turn(end - from)
	}
	if c.landed > 0 {
		c.p.queue.land(c.landed, c.now.Sub(c.e.began))
		c.landed = 0
	}
	c.applied(n, bytes)
	c.snapshotIfDue()
	return nil
}

// agreed applies one transaction, and answers it if a client of this member waits
// for it. The tree's lock is held.
func (c *committer) agreed(data []byte, x *flown) error {
	if err := txn.Decode(data, &c.tx); err != nil {
		return fmt.Errorf("transaction 0x%x of the ensemble: %w", uint64(c.tx.Zxid), err)
	}
	failpoint.Pass(failpoint.Apply)
	if last := c.e.Tree.Zxid(); c.tx.Zxid <= last {
		return fmt.Errorf("transaction 0x%x of the ensemble came after 0x%x", uint64(c.tx.Zxid), uint64(last))
	}
	it := &x.item
	if !x.ours {
		it.op = c.tx.Header.Type
	}
	c.res.Code = proto.OK
	if c.tx.Data != nil && failpoint.Hit(failpoint.Corrupt) != nil {
		it.known, c.tx.Data = tree.Known{}, append(bytes.Clone(c.tx.Data), "corrupt"...)
	}
	if d := c.apply(it.known); d != nil {
		return d
	}
	if c.tx.Header.Type == proto.OpError {
		it.code, it.op = c.tx.Err, opOf(it.op)
		if it.instead != proto.OK {
			it.code = it.instead
		}
	}
	c.sessionEvent(it)
	if c.e.Audit.Enabled() {
		c.audit(it)
	}
	if !x.ours {
		return nil
	}
	c.answered++
	if it.zxid != 0 {
		c.landed++
	}
	if it.client == nil {
		return nil
	}
	c.answer(it)
	c.refused(x.stuck)
	return nil
}

// giveUp is turn behind a transaction that could not be applied, or shows that the tree is
// another's: no snapshot is to be made of that.
func (c *committer) giveUp(n int) {
	c.landed = 0
	clear(c.flown[:])
	c.p.putOff.Store(notPutOff)
	c.turn(n)
}

// refused answers writes that were not forwarded.
func (c *committer) refused(list []item) {
	for i := range list {
		c.res.Code = list[i].code
		c.answer(&list[i])
		c.answered++
	}
}

// opOf keeps a refused createSession or closeSession from counting as one.
func opOf(op proto.Op) proto.Op {
	if op == proto.OpCreateSession || op == proto.OpCloseSession {
		return proto.OpError
	}
	return op
}

// Install puts a state in the place of the one before, while the engine rests.
// The tree is taken over, and has no Views. logged is how many transactions of it
// are in the log and not in a snapshot.
func (e *Engine) Install(t *tree.Tree, sessions map[int64]int32, logged int) {
	p := &e.pipe
	e.Tree.Lock()
	e.Tree.Swap(t)
	p.swapSessions(&Replacement{Sessions: sessions, Now: e.Clock})
	e.zxid.Store(e.Tree.Zxid())
	p.commit.plan() // what was put off was of the state before
	p.commit.logged = logged
	e.Tree.Unlock()
	t.Close()
}

// ShowConfig makes a text the data of /zookeeper/config, with the version of the
// configuration that it is.
func (e *Engine) ShowConfig(text []byte, version int64) {
	t := e.Tree
	t.Lock()
	defer t.Unlock()
	n := t.Find(tree.ConfigPath)
	if n == 0 || bytes.Equal(t.Data(n), text) {
		return
	}
	c := &e.pipe.commit
	zxid := t.Zxid()
	c.tx = txn.Txn{Header: txn.Header{Zxid: version, Time: millis(e.Now()), Type: proto.OpSetData}}
	c.tx.Body = txn.Body{Type: proto.OpSetData, Path: tree.ConfigPath, Data: text, Version: configVersion}
	t.Apply(&c.tx, &c.res)
	t.SetZxid(zxid)
	for i := range c.res.Changes {
		c.fire(&c.res.Changes[i])
	}
	c.flush()
}

// configVersion is the version of the znode of the configuration, whose own is
// its mzxid. Apache's servers give it this one.
const configVersion = -1

// Touched calls f for each session whose client was heard of here since the last
// call; the time-out is in milliseconds.
func (e *Engine) Touched(f func(id int64, timeout int32)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, timeout := range e.left {
		f(id, timeout)
	}
	clear(e.left)
	for _, c := range e.clients {
		e.touch(c, f)
	}
}

// touch calls f if the client was heard of since the last call. The lock is held.
// What was received tells: the session's deadline moves by whole ticks only, and
// without the client's doing, too.
func (e *Engine) touch(c *Client, f func(id int64, timeout int32)) {
	n := c.Stats.Received.Load()
	if n == c.told || c.Session != nil && c.Session.Local() {
		return
	}
	c.mu.Lock()
	id, timeout := c.Stats.session, c.Stats.timeout
	c.mu.Unlock()
	if id != 0 {
		c.told = n
		f(id, timeout)
	}
}

// atomicRole is a role that others read.
type atomicRole struct{ v atomic.Int32 }

func (a *atomicRole) Load() role   { return role(a.v.Load()) }
func (a *atomicRole) Store(r role) { a.v.Store(int32(r)) }
