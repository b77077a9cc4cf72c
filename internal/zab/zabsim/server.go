package zabsim

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/quollhq/quoll/internal/zab"
)

// server is a process and its machine.
type server struct {
	w     *world
	id    int64
	index int
	life  int // counts starts
	disk  disk
	peer  *zab.Peer // nil while it is down
	conns map[zab.Link]*conn
	dials int // connections that it has asked for
	// log is what it has given to its disk, state what its state machine applied.
	log, state []zab.Entry
	status     zab.Status
	// clock: local time is offset + now*rate.
	offset time.Duration
	rate   float64
	alarm  time.Duration // when the next Tick is planned, 0 if none is

	paused  bool
	held    []func() // what waits for the end of a pause
	reads   map[uint64]int
	differs bool  // its state, from what the log makes of it
	syncs   []int // what was committed when it asked its leader, by question
	// askers are who asked for the syncs under way: an observer by its link, or the server itself as 0.
	askers []zab.Link
}

func (s *server) local() time.Duration {
	return s.offset + time.Duration(float64(s.w.now)*s.rate)
}

// start begins a life from what is on the disk.
func (s *server) start() {
	w, d := s.w, &s.disk
	s.life++
	s.conns, s.held, s.paused, s.alarm = map[zab.Link]*conn{}, nil, false, 0
	s.reads, s.syncs, s.askers = map[uint64]int{}, nil, nil
	s.differs = false
	s.log = slices.Clip(d.log)
	s.status = zab.Status{}
	recent := max(0, len(d.log)-w.draw.window)
	applied := len(d.log)
	if !w.draw.replayAll {
		applied = recent + w.r.IntN(len(d.log)-recent+1)
	}
	s.state = s.log[:applied:applied]
	o := zab.Options{
		ID: s.id, Active: w.config(d.active), LastSeen: w.config(d.lastSeen), Parse: w.parse, Reconfig: w.draw.reconfig,
		Accepted: d.accepted, Current: d.current, Last: lastOf(d.log), Applied: lastOf(s.state),
		Recent: slices.Clone(d.log[recent:]), RecentAfter: lastOf(d.log[:recent]),
		Tick: tick, InitLimit: 10, SyncLimit: 5, FinalizeWait: 20 * time.Millisecond,
		MinNotification: 20 * time.Millisecond, MaxNotification: time.Second,
		ConnectRetry: 10 * time.Millisecond, CommitLog: w.draw.window, FeedObservers: w.opts.Masters,
	}
	if w.draw.replay {
		o.Replayable = func(zxid int64) bool {
			_, ok := place(s.log, zxid)
			return ok || zxid == 0
		}
	}
	p, err := zab.New(o)
	if err != nil {
		w.fail("server %d does not start: %v", s.id, err)
		return
	}
	if w.opts.Prepare != nil {
		w.opts.Prepare(p)
	}
	s.peer = p
	w.on(s, "start", func(p *zab.Peer) { p.Tick(s.local()) })
}

// stop ends a life. What was not synced may be lost.
func (s *server) stop(noticed float64) {
	w := s.w
	w.trace("server %d stops", s.id)
	s.peer = nil
	s.life++
	s.paused, s.held = false, nil
	s.status = zab.Status{}
	s.disk.crash(w.r, w.opts.TornSnapshots)
	for _, c := range s.sortedConns() {
		side := c.side(s)
		c.ends[side].open = false
		if w.r.chance(noticed) && !w.cut(s, c.ends[1-side].s) {
			w.hangUp(c, 1-side)
		}
	}
	s.conns = nil
	for _, o := range w.servers {
		if o != s && o.peer != nil && !w.cut(o, s) && w.r.chance(w.draw.notices) {
			w.unreachable(o, s)
		}
	}
}

func (s *server) sortedConns() []*conn {
	list := make([]*conn, 0, len(s.conns))
	for _, c := range s.conns {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *conn) int { return int(a.id) - int(b.id) })
	return list
}

// on lets something happen to a server, and does what comes of it.
func (w *world) on(s *server, what string, do func(*zab.Peer)) {
	if s.peer == nil || w.err != nil {
		return
	}
	if s.paused {
		life := s.life
		s.held = append(s.held, func() {
			if s.life == life {
				w.on(s, what, do)
			}
		})
		return
	}
	w.events++
	if w.tracing() {
		w.trace("server %d: %s", s.id, what)
	}
	p := s.peer
	p.Tick(s.local())
	do(p)
	s.drain()
}

// deliver is on for messages.
func (w *world) deliver(s *server, link zab.Link, m *zab.Message) {
	if w.tracing() {
		w.trace("server %d gets %v %s on %d", s.id, m.Type, text(m.Zxid), link)
	}
	w.events++
	p := s.peer
	p.Tick(s.local())
	if err := p.Step(link, m); err != nil {
		w.refused(s, m, err)
	}
	s.drain()
}

// drain does what the peer wants.
func (s *server) drain() {
	w := s.w
	r := s.peer.Ready()
	establishes := s.status.State == zab.Leading && !s.status.Serving() && begins(&r)
	if r.Status != nil && !r.Status.Serving() {
		s.status = *r.Status
	}
	s.give(r.Writes)
	for _, b := range r.Votes {
		w.checkVote(s, &b)
		w.ballot(s, b)
	}
	if establishes {
		s.state = append(s.state, r.Commit...) // all of its log is committed now
		w.leads(s, s.peer.Status().Epoch)
	} else {
		s.apply(r.Commit)
	}
	s.sendAll(r.Sends)
	for _, read := range r.Reads {
		w.checkRead(s, read)
	}
	asked := false
	for _, u := range r.Upcalls {
		asked = s.take(u) || asked
	}
	for _, link := range r.Close {
		w.closeLink(s, link)
	}
	if r.Connect != nil {
		w.connect(s, *r.Connect)
	}
	if r.Status != nil {
		w.changed(s, *r.Status)
	}
	if r.Config != nil && w.tracing() {
		w.trace("server %d: configuration %x: %q", s.id, r.Config.Version, r.Config.Text)
	}
	s.peer.Reuse(r.Commit)
	if asked {
		s.drain()
		return
	}
	s.plan()
}

// begins tells whether a leader begins the broadcast. It may give the lead away at once, by a reconfiguration.
func begins(r *zab.Ready) bool {
	return len(r.Commit) > 0 || r.Status != nil && r.Status.Serving() ||
		slices.ContainsFunc(r.Sends, func(s zab.Send) bool { return s.Msg != nil && s.Msg.Type == zab.UpToDate })
}

// take takes a message from the peer, and tells whether the peer has something to do by that.
func (s *server) take(u zab.Upcall) bool {
	switch u.Msg.Type {
	case zab.Request:
		if s.peer.Status().State == zab.Leading {
			s.peer.Sync(u.Link, &zab.Message{Type: zab.Sync})
		} else if s.peer.Forward(u.Msg) {
			s.askers = append(s.askers, u.Link)
		}
		return true
	case zab.Sync:
		if len(s.askers) == 0 {
			return false // of a role that it has given up
		}
		link := s.askers[0]
		s.askers = s.askers[1:]
		if link != 0 {
			return s.peer.Reply(link, u.Msg)
		}
		s.w.checkSync(s)
	}
	return false
}

// plan sees that Tick comes in time.
func (s *server) plan() {
	if s.peer == nil {
		return
	}
	due := s.peer.Deadline()
	if due > 1<<62 {
		return
	}
	at := time.Duration(float64(due-s.offset)/s.rate) + 1
	if s.alarm > s.w.now && s.alarm <= at {
		return
	}
	at = max(at, s.w.now+1)
	s.alarm = at
	life := s.life
	s.w.after(at-s.w.now, func() {
		if s.life == life && s.alarm == at {
			s.alarm = 0
			s.w.on(s, "tick", func(*zab.Peer) {})
		}
	})
}

// give hands writes to the disk.
func (s *server) give(writes []zab.Write) {
	for i := range writes {
		write := &writes[i]
		if s.status.Serving() && (write.Kind == zab.WriteTruncate || write.Kind == zab.WriteSnapshot) {
			s.w.fail("server %d goes back in time while it serves", s.id)
		}
		switch write.Kind {
		case zab.WriteAppend:
			s.log = append(s.log, write.Entries...)
		case zab.WriteTruncate:
			s.w.checkCut(s, write.Zxid)
			s.log = upTo(s.log, write.Zxid)
			// One that begins to lead may bring its state to the end of its log.
			forward := write.Reload && s.status.State == zab.Leading
			if !s.differs && !forward && write.Reload != (len(s.state) > len(s.log)) {
				s.w.fail("server %d: its state is to be loaded anew (%v), and has %d transactions of %d", s.id, write.Reload, len(s.state), len(s.log))
			}
			if write.Reload {
				s.state, s.differs = s.log, false
			}
		case zab.WriteSnapshot:
			snap := write.Snapshot.([]zab.Entry)
			s.w.checkReplace(s, snap)
			s.log, s.state = snap[:len(snap):len(snap)], snap[:len(snap):len(snap)]
		}
	}
	s.disk.queue = append(s.disk.queue, writes...)
	s.sync()
}

// sync writes what has queued up as one batch.
func (s *server) sync() {
	d, w := &s.disk, s.w
	if len(d.batch) > 0 || len(d.queue) == 0 || d.stalled {
		return
	}
	d.batch, d.queue = d.queue, nil
	life := s.life
	w.after(w.syncTime(), func() {
		if s.life == life {
			s.synced()
		}
	})
}

func (s *server) synced() {
	d, w := &s.disk, s.w
	if w.r.chance(w.draw.syncFails) && w.faulty {
		w.syncFailed(s)
		return
	}
	batch := d.batch
	d.batch = nil
	for i := range batch {
		if w.opts.TruncationIgnored && batch[i].Kind == zab.WriteTruncate && w.r.chance(0.3) {
			continue
		}
		if err := d.apply(&batch[i]); err != nil {
			w.fail("server %d cannot store %v %s: %v (its log ends with %s)", s.id, batch[i].Kind, text(batch[i].Zxid), err, text(lastOf(d.log)))
			return
		}
	}
	s.released(batch)
}

func (s *server) released(batch []zab.Write) {
	w := s.w
	for i := range batch {
		batch[i].Acks(func(link zab.Link, m *zab.Message) {
			w.checkMessage(s, m)
			w.transmit(s, link, m)
		})
	}
	seq := batch[len(batch)-1].Seq
	w.on(s, "stored", func(p *zab.Peer) {
		p.Stored(seq)
		for i := range batch {
			p.Reuse(batch[i].Entries)
		}
	})
	s.sync()
}

func (s *server) sendAll(sends []zab.Send) {
	w := s.w
	for _, o := range sends {
		switch {
		case o.Replay != nil:
			s.replay(o.Link, *o.Replay)
		case o.Msg.Type == zab.Snap:
			m := *o.Msg
			m.Snapshot = upTo(s.state, m.Zxid)
			w.transmit(s, o.Link, &m)
		default:
			o.Messages(func(m *zab.Message) {
				w.checkMessage(s, m)
				w.transmit(s, o.Link, m)
			})
		}
	}
}

// replay sends a part of the log that the peer does not have in memory.
func (s *server) replay(link zab.Link, span zab.Span) {
	from := upTo(s.log, span.After)
	for _, e := range upTo(s.log, span.UpTo)[len(from):] {
		s.w.transmit(s, link, &zab.Message{Type: zab.Proposal, Zxid: e.Zxid, Entry: e})
		s.w.transmit(s, link, &zab.Message{Type: zab.Commit, Zxid: e.Zxid})
	}
}

// propose makes a transaction, or some at once, if this server leads.
func (s *server) propose(config *zab.Membership) {
	w := s.w
	w.on(s, "propose", func(p *zab.Peer) {
		zxid := p.NextZxid()
		if zxid == 0 {
			return
		}
		var list []zab.Entry
		for more := true; more; more = w.r.chance(0.2) {
			w.made++
			list = append(list, zab.Entry{Zxid: zxid + int64(len(list)), Data: binary.BigEndian.AppendUint64(nil, w.made)})
		}
		if config != nil {
			last := &list[len(list)-1]
			last.Config = w.textOf(config, last.Zxid)
		}
		if _, err := p.Propose(list...); err != nil && w.tracing() {
			w.trace("server %d refuses: %v", s.id, err)
		}
	})
}

func text(zxid int64) string { return fmt.Sprintf("%d:%d", zxid>>32, zxid&0xffffffff) }
