package peer

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/quollhq/quoll/internal/failpoint"
	"github.com/quollhq/quoll/internal/peer/link"
	"github.com/quollhq/quoll/internal/peer/mesh"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/zab"
)

// handler gives the loop what happens on connections. Calls wait while too much waits for the loop, the disk or the
// machine, so that nothing more is read from a socket.
type handler struct{ p *Peer }

// give has f run in the loop, unless the connection or the peer ends before.
func (h handler) give(done <-chan struct{}, f func()) bool {
	if full := h.p.waiting.full(); full != nil {
		select {
		case <-full:
		case <-done:
			return false
		case <-h.p.stopped:
			return false
		}
	}
	select {
	case h.p.ahead <- struct{}{}:
	case <-done:
		return false
	case <-h.p.stopped:
		return false
	}
	h.p.carry(func() {
		<-h.p.ahead
		f()
	})
	return true
}

// Up implements link.Handler. A connection that was dialled is announced by who has dialled.
func (h handler) Up(c *link.Conn) {
	c.SetTimeout(0) // the agreement has its own limits
	if !c.Dialled() {
		h.give(nil, func() { h.p.loop.arrived(c) })
	}
}

// Received implements link.Handler. Requests of a learner that is in sync are the machine's at once: the agreement has
// nothing to say about them.
func (h handler) Received(c *link.Conn, batch []link.Packet) {
	if to := contactOf(c).route.Load(); to != nil {
		all := batch
		batch = h.requests(c, to, all)
		clear(all[len(batch):])
		if len(batch) == 0 {
			c.Recycle(all[:0])
			return
		}
	} else if !c.Dialled() {
		forgetRequests(batch)
	}
	filled := c.Filled()
	if h.give(c.Done(), func() { h.p.loop.received(c, batch, filled); c.Recycle(batch) }) || len(batch) == 0 {
		return
	}
	if r, ok := batch[len(batch)-1].Snapshot.(*received); ok {
		r.Close()
	}
}

// forgetRequests forgets what requests of a learner ask for that is not in sync: nobody does it, and their data is not
// valid for as long as they may wait.
func forgetRequests(batch []link.Packet) {
	for i := range batch {
		if batch[i].Type == wire.Request {
			batch[i].Data = nil
		}
	}
}

// requests brings the requests among packets where they belong, and returns the other packets.
func (h handler) requests(c, to *link.Conn, batch []link.Packet) (others []link.Packet) {
	list := contactOf(c).asked[:0]
	others = batch[:0]
	for i := range batch {
		if batch[i].Type != wire.Request {
			others = append(others, batch[i])
			continue
		}
		r, err := wire.DecodeRequest(&batch[i].Packet)
		if err != nil {
			h.p.broke(c, wire.Request, err)
			clear(list)
			return nil
		}
		list = append(list, r)
	}
	if len(list) == 0 {
		return others
	}
	contactOf(c).requests.Add(int64(len(list)))
	if to == c {
		h.p.cfg.Machine.Requests(zab.Link(c.ID()), contactOf(c).term, list)
	} else if c.Pace() == nil {
		h.p.passOn(c, to, list)
	}
	clear(list) // they hold on to their bytes
	contactOf(c).asked = list
	return others
}

// broke ends the connection of a member that has sent what it must not.
func (p *Peer) broke(c *link.Conn, packet wire.Type, reason error) {
	p.log.Warn("a member broke the protocol", "remote", c.RemoteAddr().String(), "packet", packet.String(), "reason", reason)
	c.Close()
}

// Snapshot implements link.Handler.
func (h handler) Snapshot(c *link.Conn, zxid int64, r io.Reader) (any, error) {
	if err := failpoint.Hit(failpoint.StateReceive); err != nil {
		return nil, err
	}
	state := h.p.cfg.Machine.NewState()
	info := storage.SnapshotInfo{Path: "the leader's state", Zxid: zxid}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r = &heardReader{r: r, heard: func() { h.heard(c) }}
	file := h.p.cfg.Store.NewCopy(zxid)
	if err := storage.DecodeState(ctx, io.TeeReader(r, file), &info, h.p.cfg.MaxPacket, state); err != nil {
		file.Abort()
		state.Close()
		return nil, err
	}
	h.p.log.Info("the leader's state was read", "zxid", hex(zxid), "nodes", info.Nodes, "took", info.Elapsed)
	return &received{state: state, file: file}, nil
}

// heard tells the loop that a state moves on.
func (h handler) heard(c *link.Conn) {
	h.p.inbox.push(func() { h.p.zab.Heard(zab.Link(c.ID())) })
}

// heardEvery is after how many bytes of a state the other side counts as heard.
const heardEvery = 8 << 20

// heardReader tells when so much was read.
type heardReader struct {
	r     io.Reader
	n     int
	heard func()
}

// Read implements io.Reader.
func (r *heardReader) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	if r.n += n; r.n >= heardEvery {
		r.n = 0
		r.heard()
	}
	return n, err
}

// heardWriter tells when so much was written.
type heardWriter struct {
	w     io.Writer
	n     int
	heard func()
}

// Write implements io.Writer.
func (w *heardWriter) Write(b []byte) (int, error) {
	n, err := w.w.Write(b)
	if w.n += n; w.n >= heardEvery {
		w.n = 0
		w.heard()
	}
	return n, err
}

// Down implements link.Handler.
func (h handler) Down(c *link.Conn, err error) {
	h.give(nil, func() { h.p.loop.down(c, err) })
}

// received is a state that came from a leader, and its file, which was written meanwhile.
type received struct {
	state State
	file  *storage.Copy
	// installed tells that it is in force, or closed. It is the disk's.
	installed bool
}

// Close gives it up.
func (r *received) Close() {
	r.file.Abort()
	r.state.Close()
}

// arrived takes a connection of a learner.
func (l *loop) arrived(c *link.Conn) {
	if l.status.State == zab.Looking {
		contactOf(c).waits = &waiting{}
		l.early = append(l.early, earlyLearner{conn: c, until: l.p.cfg.Now() + patience})
		return
	}
	l.accept(c)
}

func (l *loop) accept(c *link.Conn) {
	l.conns[zab.Link(c.ID())] = c
	l.p.zab.LinkUp(zab.Link(c.ID()))
}

// connect dials the leader, in place of any other attempt.
func (l *loop) connect(leader int64) {
	l.dial()
	ctx, cancel := context.WithTimeout(context.Background(), l.limit())
	l.dial = cancel
	l.dialNo++
	no := l.dialNo
	p := l.p
	master, addresses := l.masters(leader)
	p.tasks.Go(func() {
		defer cancel()
		c, err := p.links.Dial(ctx, addresses)
		p.inbox.push(func() { p.loop.dialled(no, master, c, err) })
	})
}

// masters are where this member is fed: by the leader, or, one after the other, by another voter if followers feed observers
// and there are any.
func (l *loop) masters(leader int64) (master int64, at []wire.Address) {
	dir, port := l.p.members.Load(), l.p.cfg.ObserverMasterPort
	if port == 0 || l.p.zab.Status().State != zab.Observing {
		return leader, dir.quorum[leader]
	}
	voters := slices.DeleteFunc(slices.Clone(l.p.zab.Active().Quorum.Voters()), func(id int64) bool { return id == leader })
	if len(voters) == 0 {
		return leader, dir.quorum[leader]
	}
	l.masterNo++
	master = voters[(l.p.cfg.ID+l.masterNo)%int64(len(voters))]
	return master, withPort(dir.quorum[master], port)
}

// withPort is addresses with another port.
func withPort(list []wire.Address, port int) []wire.Address {
	list = slices.Clone(list)
	for i := range list {
		list[i].Port = uint16(port)
	}
	return list
}

func (l *loop) limit() time.Duration { return time.Duration(l.p.cfg.ConnectLimit) * l.p.cfg.Tick }

// dialled takes the outcome of an attempt.
func (l *loop) dialled(no uint64, master int64, c *link.Conn, err error) {
	switch {
	case err != nil:
		if no == l.dialNo {
			l.noteFailedDial(master, err)
			l.p.zab.ConnectFailed()
		}
	case no != l.dialNo:
		c.Close()
	case ended(c):
		l.p.zab.ConnectFailed()
	default:
		l.failed = failedDial{}
		l.master = master
		contactOf(c).sid = master
		l.conns[zab.Link(c.ID())] = c
		l.p.zab.Connected(zab.Link(c.ID()))
	}
}

func ended(c *link.Conn) bool {
	select {
	case <-c.Done():
		return true
	default:
		return false
	}
}

func (l *loop) down(c *link.Conn, err error) {
	id := zab.Link(c.ID())
	l.release(id)
	l.early = slices.DeleteFunc(l.early, func(e earlyLearner) bool { return e.conn == c })
	if l.conns[id] == nil {
		return
	}
	defer l.twinGone(c)
	if !errors.Is(err, link.ErrClosed) {
		l.p.log.Info("quorum connection ended", "sid", contactOf(c).sid, "remote", c.RemoteAddr().String(), "reason", err)
	}
	delete(l.conns, id)
	delete(l.dirty, c)
	l.endedSync(contactOf(c))
	l.p.zab.LinkDown(id)
	l.p.cfg.Machine.Left(id)
}

// received takes what has arrived on a connection, and the memory that was filled by it.
func (l *loop) received(c *link.Conn, batch []link.Packet, filled []wire.Filled) {
	if w := contactOf(c).waits; w != nil {
		if err := w.hold(batch); err != nil {
			l.p.broke(c, batch[0].Type, err)
		}
		return
	}
	l.countReceived(c, batch)
	id := zab.Link(c.ID())
	if k := contactOf(c); k.heard != l.now {
		k.heardBefore, k.heard = cmp.Or(k.heard, l.now), l.now
	}
	if n := len(batch); n > 0 && batch[n-1].Snapshot != nil {
		l.arrivals[id] = batch[n-1].Snapshot.(*received)
	}
	for i := range batch {
		if l.conns[id] != c {
			return
		}
		m := &l.frame
		if !passing(batch[i].Type) {
			m = &zab.Message{}
		}
		err := decode(c, &batch[i], m)
		if err == nil {
			if m.Type == zab.NewLeader {
				l.compareMembers(m.Data)
			}
			if m.Type == zab.FollowerInfo || m.Type == zab.ObserverInfo {
				contactOf(c).sid, contactOf(c).observer = m.Learner.Sid, m.Type == zab.ObserverInfo
				if l.keepWaiting(c, batch[i:]) {
					return
				}
			}
			if m.Type == zab.Ack {
				l.marks.reach(&contactOf(c).acked, m.Zxid)
			}
			err = l.p.zab.Step(id, m)
		}
		if err != nil {
			l.p.broke(c, batch[i].Type, err)
			return
		}
	}
	if l.up != nil && l.up.conn == c && l.status.Serving() {
		for _, f := range filled {
			l.kept.add(f.Last, f.Memory, c.Free)
		}
	}
}

// goOn takes what a learner has sent while it had to wait.
func (l *loop) goOn(c *link.Conn) {
	k := contactOf(c)
	w := k.waits
	k.waits = nil
	l.received(c, w.packets, nil)
}

// release gives up a state that came on a connection and was not wanted.
func (l *loop) release(id zab.Link) {
	if r := l.arrivals[id]; r != nil {
		delete(l.arrivals, id)
		l.p.tasks.Go(r.Close)
	}
}

// vote takes a message of an election.
func (l *loop) vote(m mesh.Message) {
	failpoint.Pass(failpoint.ElectionReceive)
	n, err := wire.DecodeNotification(m.Payload)
	if err != nil {
		l.p.log.Warn("a vote cannot be read", "sid", m.From, "err", err)
		return
	}
	vote := zab.Notification{Sid: m.From, State: zab.State(n.State), Leader: n.Leader, Zxid: n.Zxid, PeerEpoch: n.PeerEpoch,
		Round: n.Round, Version: n.Version, Config: n.Config}
	l.noteLeaderOf(&vote)
	l.p.zab.Notify(vote)
}

func (l *loop) ballot(b *zab.Ballot) {
	failpoint.Pass(failpoint.ElectionSend)
	l.p.mesh.Send(b.To, wire.AppendNotification(nil, &wire.Notification{State: wire.State(b.State), Leader: b.Leader, Zxid: b.Zxid,
		PeerEpoch: b.PeerEpoch, Round: b.Round, Version: b.Version, Config: b.Config}))
}

// sendAll sends what may go at once. What follows on one link goes in one piece.
func (l *loop) sendAll(sends []zab.Send) {
	for i := range sends {
		s := &sends[i]
		switch {
		case s.Replay != nil:
			l.replay(s.Link, s.Replay)
		case s.Msg.Type == zab.Snap:
			l.send(s.Link, s.Msg)
			l.sendState(s.Link)
		case s.Each != nil:
			l.sendEach(s)
		default:
			l.send(s.Link, s.Msg)
		}
	}
}

// sendEach queues a run of messages.
func (l *loop) sendEach(s *zab.Send) {
	c := l.conns[s.Link]
	if c == nil {
		return
	}
	noteZxid(c, s.Each[len(s.Each)-1].Zxid)
	size := len(s.Each) * wire.TxnOverhead
	if s.Msg.Type != zab.Commit {
		for i := range s.Each {
			size += len(s.Each[i].Data)
		}
	}
	c.Append(len(s.Each), func(b []byte) []byte {
		b = slices.Grow(b, size)
		for i := range s.Each {
			e := &s.Each[i]
			switch s.Msg.Type {
			case zab.Proposal:
				b = wire.AppendProposal(b, e.Zxid, e.Data)
			case zab.Inform:
				b = wire.AppendInform(b, e.Zxid, e.Data)
			default:
				b = wire.AppendCommit(b, e.Zxid)
			}
		}
		return b
	})
	l.dirty[c] = struct{}{}
}

// send queues a message; settle flushes it.
func (l *loop) send(id zab.Link, m *zab.Message) {
	c := l.conns[id]
	if c == nil {
		return
	}
	switch m.Type {
	case zab.UpToDate:
		l.admit(c) // it may forward requests from now on
	case zab.Ping:
	default:
		noteZxid(c, m.Zxid)
	}
	l.noteSync(c, m.Type)
	failpoint.Pass(sendPoint(m.Type))
	c.Append(1, func(b []byte) []byte { return l.encode(b, c, m) })
	l.dirty[c] = struct{}{}
	if m.Type == zab.Sync {
		l.p.cfg.Machine.Answered(id)
	}
}

// sendState streams the state that tellMachine has ordered.
func (l *loop) sendState(id zab.Link) {
	c, f := l.conns[id], l.states[id]
	delete(l.states, id)
	if c == nil {
		close(f.gone)
		f.drop()
		return
	}
	c.Stream(&stateStream{p: l.p, state: f, conn: c, sid: contactOf(c).sid})
}

func (l *loop) replay(id zab.Link, span *zab.Span) {
	c := l.conns[id]
	if c == nil {
		return
	}
	reader, err := l.p.cfg.Store.Read(span.After)
	if err != nil {
		l.p.log.Warn("the log cannot be read for a learner", "after", hex(span.After), "err", err)
		c.Close()
		return
	}
	c.Stream(&replayStream{reader: reader, upTo: span.UpTo, brought: &contactOf(c).brought})
}
