package zab

import (
	"fmt"
	"slices"
	"time"
)

// feed is whom a server feeds, a leader its learners and a follower observers:
// it brings their logs in line and then tells them of everything as it happens.
type feed struct {
	learners []*follower // ascending by link
	nextTick time.Duration
}

func (d *feed) add(link Link, deadline time.Duration) {
	d.learners = append(d.learners, &follower{link: link, deadline: deadline})
}

func (d *feed) find(link Link) *follower {
	for _, f := range d.learners {
		if f.link == link {
			return f
		}
	}
	return nil
}

func (d *feed) remove(f *follower) {
	d.learners = slices.DeleteFunc(d.learners, func(o *follower) bool { return o == f })
}

// feed is whom this server feeds, nil if it feeds nobody.
func (p *Peer) feed() *feed {
	if p.leader != nil {
		return &p.leader.feed
	}
	return p.master
}

// heardFrom is the learner of a link, nil if that was given up. One that is in line
// is waited for anew.
func (p *Peer) heardFrom(link Link) *follower {
	f := p.feed().find(link)
	if f != nil && f.acked {
		f.deadline = p.now + p.limit(p.opts.SyncLimit)
	}
	return f
}

// Feeds tells whether this server follows and feeds observers.
func (p *Peer) Feeds() bool { return p.master != nil }

// An observer that a follower feeds is to it as to a leader, of whose term there
// is nothing left to agree on. It hears of what is committed and nothing else, and
// so a follower can tell it what the leader has told. What its clients ask for
// goes on to the leader, by those above.

// feedObservers has this server feed observers as long as it follows a leader and
// has a vote: it is voters that they look for.
func (p *Peer) feedObservers() {
	feeds := p.opts.FeedObservers && p.state == Following && p.phase == Broadcast && p.view.active.isVoter(p.opts.ID)
	switch {
	case feeds && p.master == nil:
		p.master = &feed{nextTick: p.now + p.opts.Tick/2}
	case !feeds && p.master != nil:
		p.closeAll(p.master)
		p.master = nil
	}
}

// closeAll gives up all whom this server feeds.
func (p *Peer) closeAll(d *feed) {
	for _, f := range d.learners {
		p.out.Close = append(p.out.Close, f.link)
	}
}

// stepMaster takes an observer's message.
func (p *Peer) stepMaster(link Link, m *Message) error {
	f := p.heardFrom(link)
	if f == nil {
		return nil // of a link that was given up
	}
	err := p.takeFromObserver(f, m)
	if err != nil {
		p.drop(f)
	}
	return err
}

func (p *Peer) takeFromObserver(f *follower, m *Message) error {
	switch {
	case !f.greeted:
		return p.takeObserverInfo(f, m)
	case m.Type == AckEpoch && f.epochAck == nil:
		f.epochAck = m
		p.synchronizeObserver(f)
	case f.epochAck == nil:
		return fmt.Errorf("observer %d sent %v and not ACKEPOCH", f.sid, m.Type)
	case m.Type == Ack:
		return p.takeObserverAck(f, m.Zxid)
	case m.Type == Ping || m.Type == Request || m.Type == Revalidate:
		p.pass(f, m)
	default:
		return fmt.Errorf("observer %d sent %v", f.sid, m.Type)
	}
	return nil
}

// takeObserverInfo takes an observer's first message. One that knows of something
// later has been fed by somebody who is further, and is let go: it comes again. So
// is a follower, which takes this server for the leader.
func (p *Peer) takeObserverInfo(f *follower, m *Message) error {
	if err := checkInfo(m); err != nil {
		return err
	}
	if m.Type != ObserverInfo || m.Learner.ConfigVersion > p.view.active.Version || EpochOf(m.Zxid) > p.current {
		p.drop(f)
		return nil
	}
	p.meet(f, m)
	p.send(f.link, &Message{Type: LeaderInfo, Zxid: EpochStart(p.current)})
	return nil
}

// synchronizeObserver brings an observer in line once this server has at least
// what the observer has of the present epoch. All that is committed: this server
// will hear of it, and nothing of it is cut.
func (p *Peer) synchronizeObserver(f *follower) {
	switch last := f.epochAck.Zxid; {
	case max(EpochOf(last), f.epochAck.Epoch) > p.current:
		p.drop(f)
	case EpochOf(last) < p.current || counterOf(last) == 0 || last <= p.log.applied:
		p.synchronize(f)
	}
}

// takeObserverAck takes the word that the synchronization is on the disk, and that
// UPTODATE has come. Of anything else an observer has nothing to say.
func (p *Peer) takeObserverAck(f *follower, zxid int64) error {
	if zxid != EpochStart(p.current) {
		return fmt.Errorf("observer %d acknowledged %s, and the epoch is %d", f.sid, zxidText(zxid), p.current)
	}
	if f.acked || !f.forwarded {
		return nil
	}
	f.acked = true
	f.deadline = p.now + p.limit(p.opts.SyncLimit)
	p.bringUp(f)
	return nil
}

// passCommits tells the observers of what the leader has committed.
func (p *Peer) passCommits(run []Entry) {
	if p.master == nil || len(run) == 0 {
		return
	}
	p.announceCommits(run)
	p.synchronizeLate()
}

// passActivation tells the observers of a reconfiguration that the leader has
// committed. It may give this server its vote, or take it.
func (p *Peer) passActivation(run []Entry, designated int64) {
	if p.master != nil {
		for _, e := range run {
			p.informAndActivate(&Message{Type: InformAndActivate, Zxid: e.Zxid, Entry: e, Designated: designated})
		}
		p.synchronizeLate()
	}
	p.feedObservers()
}

func (p *Peer) informAndActivate(m *Message) {
	for _, f := range p.master.learners {
		if f.forwarded {
			p.send(f.link, m)
		}
	}
}

// synchronizeLate looks after observers that were further than this server.
func (p *Peer) synchronizeLate() {
	for _, f := range slices.Clone(p.master.learners) {
		if f.epochAck != nil && !f.forwarded {
			p.synchronizeObserver(f)
		}
	}
}

// tickMaster is tickLeader of a follower that feeds observers.
func (p *Peer) tickMaster() {
	if p.master == nil || p.now < p.master.nextTick {
		return
	}
	p.master.nextTick = p.now + p.opts.Tick/2
	p.pingAll()
}

// Fed is a learner that this server feeds.
type Fed struct {
	Link Link
	ID   int64
	// Observer, or a follower with a vote or without; Synced: everything is sent to it as it happens.
	Observer, Voter, Synced bool
}

// Learners are those who are known by now.
func (p *Peer) Learners() []Fed {
	feed := p.feed()
	if feed == nil {
		return nil
	}
	var list []Fed
	for _, f := range feed.learners {
		if f.greeted {
			list = append(list, Fed{Link: f.link, ID: f.sid, Observer: f.observer, Voter: !f.observer && p.view.isVoter(f.sid), Synced: f.forwarded})
		}
	}
	return list
}
