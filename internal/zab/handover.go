package zab

import "bytes"

// Farewells are the bodies of the messages by which a leader that gives its role
// away takes leave of a learner.
type Farewells func(Link) [][]byte

// HandOver makes this leader step down without losing anything: it proposes
// nothing more, waits until all that it proposed is committed, lets its
// followers know, and gives them up. They elect the one among them with the
// largest number at once, since their logs are equal; this server votes for it.
// If nobody is in line within a tick, it goes on leading. farewell may be nil.
//
// A server that leaves the ensemble behind it follows the next leader without a
// vote: that one must not count on it.
func (p *Peer) HandOver(farewell Farewells, leaves bool) error {
	if p.state != Leading || !p.leader.established {
		return ErrNotLeading
	}
	l := p.leader
	l.handingOver, l.handOverEnds = true, p.now+p.opts.Tick
	l.farewell, l.leaves = farewell, leaves
	p.finishHandOver()
	return nil
}

// CallOff ends a hand-over that came to nothing: if this server still leads, it goes
// on.
func (p *Peer) CallOff() {
	if p.state == Leading {
		p.leader.handingOver, p.leader.farewell = false, nil
	}
}

// TakeLeave says what learners are told if the reconfiguration that is proposed
// next gives the lead away. Nothing may be proposed behind it until it is committed.
func (p *Peer) TakeLeave(farewell Farewells) {
	if p.state == Leading {
		p.leader.farewell = farewell
	}
}

// sayFarewell tells the learners that the role is given away, after all that was
// committed.
func (p *Peer) sayFarewell() {
	l := p.leader
	if l.farewell == nil {
		return
	}
	for _, f := range l.learners {
		if !f.upToDate || !f.farewells {
			continue
		}
		for _, body := range l.farewell(f.link) {
			p.send(f.link, &Message{Type: Farewell, Zxid: p.log.last, Data: body})
		}
	}
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
	p.sayFarewell()
	p.leaves = l.leaves
	p.stepDownFor(v, "it hands over")
	p.meant = true
}

// question is whether this server still leads, asked at one moment.
type question struct {
	// asker is a follower by whose message the question came, 0 if there is none.
	asker int64
	// after are the pings that must come back from a follower, by link: those that
	// were sent after the question came.
	after map[Link]uint64
}

// ask pings the followers, unless the question is answered by who asks. What is
// asked before the next Ready is asked by the same pings: none has left by then.
func (p *Peer) ask(q *question) {
	l := p.leader
	if p.confirmed(q) {
		return
	}
	if l.asked == nil {
		l.asked = make(map[Link]uint64, len(l.learners))
		for _, f := range l.learners {
			if f.upToDate && !f.observer {
				p.ping(f)
				l.asked[f.link] = f.pings
			}
		}
	}
	q.after = l.asked
}

// confirmed tells whether a quorum has answered the question.
func (p *Peer) confirmed(q *question) bool {
	return p.view.hasQuorum(func(id int64) bool { return id == p.opts.ID || id == q.asker || p.follows(q, id) })
}

// follows tells whether a server has answered the question. Answers come in the
// order of the pings on each link, so counting them is enough.
func (p *Peer) follows(q *question, id int64) bool {
	for _, f := range p.leader.learners {
		if want, ok := q.after[f.link]; ok && f.sid == id && f.pongs >= want {
			return true
		}
	}
	return false
}

// pendingRead is a ConfirmRead that is not answered.
type pendingRead struct {
	question
	token uint64
	zxid  int64
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
	r := pendingRead{token: token, zxid: p.log.applied}
	p.ask(&r.question)
	p.leader.reads = append(p.leader.reads, r)
	p.confirmReads()
}

// confirmReads answers what a quorum has confirmed.
func (p *Peer) confirmReads() {
	l := p.leader
	for len(l.reads) > 0 && p.confirmed(&l.reads[0].question) {
		p.out.Reads = append(p.out.Reads, Read{Token: l.reads[0].token, Zxid: l.reads[0].zxid, OK: true})
		l.reads = l.reads[1:]
	}
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
