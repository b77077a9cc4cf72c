package zab

import "bytes"

// HandOver makes this leader step down without losing anything: it proposes
// nothing more, waits until all that it proposed is committed, lets its
// followers know, and gives them up. They elect the one among them with the
// largest number at once, since their logs are equal; this server votes for it.
// If nobody is in line within a tick, it goes on leading.
func (p *Peer) HandOver() error {
	if p.state != Leading || !p.leader.established {
		return ErrNotLeading
	}
	p.leader.handingOver, p.leader.handOverEnds = true, p.now+p.opts.Tick
	p.finishHandOver()
	return nil
}

// HandingOver tells whether this leader is about to step down.
func (p *Peer) HandingOver() bool { return p.state == Leading && p.leader.handingOver }

// finishHandOver steps down once nothing is under way and somebody has it all.
func (p *Peer) finishHandOver() {
	l := p.leader
	if !l.handingOver || p.log.applied < p.log.last {
		return
	}
	heir := p.best(p.view.active)
	if heir == 0 || l.acks[heir] < p.log.last && EpochOf(p.log.last) == l.epoch {
		return
	}
	v := vote{leader: heir, zxid: p.log.last, epoch: p.current}
	p.look("it hands over")
	if p.state == Looking {
		p.election.heir = v
		if p.election.running {
			p.election.mine = v
			p.announce()
			p.tally()
		}
	}
}

// pendingRead is a question whether this server still leads.
type pendingRead struct {
	token uint64
	zxid  int64
	// after are the pings that must come back from a follower, by link: those that
	// were sent after the question came.
	after map[Link]uint64
}

// ConfirmRead asks a quorum whether this server still leads, without a write:
// the answer comes in Ready.Reads. A read that waits for it, and until what was
// committed when it was asked is applied, sees everything that any client was
// told of before.
func (p *Peer) ConfirmRead(token uint64) {
	if p.stopped != nil || p.state != Leading || !p.leader.established {
		p.out.Reads = append(p.out.Reads, Read{Token: token})
		return
	}
	r := pendingRead{token: token, zxid: p.log.applied, after: map[Link]uint64{}}
	for _, f := range p.leader.learners {
		if f.upToDate && !f.observer {
			p.ping(f)
			r.after[f.link] = f.pings
		}
	}
	p.leader.reads = append(p.leader.reads, r)
	p.confirmReads()
}

// confirmReads answers what a quorum has confirmed. Answers come in the order of
// the pings on each link, so counting them is enough.
func (p *Peer) confirmReads() {
	l := p.leader
	for len(l.reads) > 0 && p.view.hasQuorum(func(id int64) bool { return id == p.opts.ID || p.confirmed(&l.reads[0], id) }) {
		p.out.Reads = append(p.out.Reads, Read{Token: l.reads[0].token, Zxid: l.reads[0].zxid, OK: true})
		l.reads = l.reads[1:]
	}
}

func (p *Peer) confirmed(r *pendingRead, id int64) bool {
	for _, f := range p.leader.learners {
		if want, ok := r.after[f.link]; ok && f.sid == id && f.pongs >= want {
			return true
		}
	}
	return false
}

// denyReads answers what nobody will confirm any more.
func (p *Peer) denyReads() {
	for _, r := range p.leader.reads {
		p.out.Reads = append(p.out.Reads, Read{Token: r.token})
	}
}

// withVersion is the text of a configuration with another version.
func withVersion(text []byte, version int64) []byte {
	if i := bytes.LastIndex(text, []byte("version=")); i >= 0 {
		text = text[:i]
	}
	return appendHex(append(bytes.Clone(text), "version="...), version)
}
