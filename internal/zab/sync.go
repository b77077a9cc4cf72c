package zab

// plan is how a learner's log is brought in line with the leader's.
type plan struct {
	op   Type  // DIFF, TRUNC or SNAP
	zxid int64 // what goes with it
	// base is how far the learner's log agrees with the leader's after op.
	base int64
	// replay is a part that comes from the disk, nil if there is none. What is in
	// memory behind from follows it.
	replay *Span
	from   int64
}

// planSync decides how a learner whose log ends with peer is brought to end,
// the end of what is committed. The rules are those of Apache's leader:
//
//   - the same log: nothing to do;
//   - a longer one: what is too much is cut. It was never committed: the leader
//     has the log of a quorum's best. A zxid that starts an epoch names no
//     transaction, so that there is nothing to cut;
//   - one that ends inside the window: what is missing is sent. If its end is
//     unknown here, it led an epoch, or followed one, that did not survive; it
//     is cut back to what both have of that epoch, and if there is nothing
//     of it here, the state is sent: a learner cannot cut across epochs;
//   - one that ends before the window: from the disk, if that is worth it;
//   - the whole state.
func (h *history) planSync(peer, end int64, replayable func(int64) bool) plan {
	diff := plan{op: Diff, zxid: end, base: min(peer, end), from: min(peer, end)}
	snap := plan{op: Snap, zxid: h.applied, base: h.applied, from: h.applied}
	trunc := func(to int64) plan { return plan{op: Trunc, zxid: to, base: to, from: to} }
	epochStart := counterOf(peer) == 0
	switch {
	case peer == end || peer > end && epochStart:
		return diff
	case peer > end:
		return trunc(end)
	case peer >= h.before && (h.knows(peer) || epochStart):
		return diff
	case peer >= h.before:
		if prev := h.preceding(peer); EpochOf(prev) == EpochOf(peer) {
			return trunc(prev)
		}
		return snap
	case peer >= 0 && replayable != nil && replayable(peer):
		diff.replay, diff.from = &Span{After: peer, UpTo: h.before}, h.before
		return diff
	}
	return snap
}

// preceding is the last transaction before zxid, which lies in the window.
func (h *history) preceding(zxid int64) int64 {
	i, _ := h.find(zxid)
	if i == 0 {
		return h.before
	}
	return h.window[i-1].Zxid
}

// committedEnd is how far this server's log is committed, or will be once a
// quorum has its history.
func (p *Peer) committedEnd() int64 {
	if p.phase == Broadcast {
		return p.log.applied
	}
	return p.log.last
}

// configToSend is what goes with NEWLEADER: what is in force when UPTODATE comes.
// A reconfiguration that is not committed stays out of it, since learners of
// Apache's take for granted whatever comes that way.
func (p *Peer) configToSend() *Membership {
	if p.phase == Broadcast {
		return p.view.active
	}
	return p.view.lastSeen
}

// synchronize sends a learner what it lacks, and from then on everything as it
// happens. NEWLEADER comes last: a learner that acknowledges it has all that was
// sent before it. Were it sent earlier, a learner would vouch for a history of
// which it lacks the end (ZOOKEEPER-3104).
func (p *Peer) synchronize(f *follower) {
	end := p.committedEnd()
	s := p.log.planSync(f.epochAck.Zxid, end, p.opts.Replayable)
	if s.op == Snap && p.awaitState(f) {
		return
	}
	if f.observer && p.crowded(s.op == Snap) {
		p.drop(f)
		return
	}
	f.state = s.op == Snap
	if l := p.leader; l != nil && !p.faults.acksOutliveTruncation {
		// What the learner acknowledged on an earlier connection and is cut now, it has
		// no longer. It acknowledges it anew.
		l.acks[f.sid] = min(l.acks[f.sid], s.base)
	}
	p.send(f.link, &Message{Type: s.op, Zxid: s.zxid})
	newLeader := &Message{Type: NewLeader, Zxid: EpochStart(p.current), Data: p.configToSend().Text}
	early := p.faults.newLeaderBeforeProposals && s.op == Snap
	if early {
		p.send(f.link, newLeader)
	}
	if s.replay != nil && s.replay.UpTo > s.replay.After {
		p.out.Sends = append(p.out.Sends, Send{Link: f.link, Replay: s.replay})
	}
	for _, e := range p.log.between(s.from, end) {
		p.send(f.link, &Message{Type: Proposal, Zxid: e.Zxid, Entry: e})
		p.send(f.link, &Message{Type: Commit, Zxid: e.Zxid})
	}
	if !f.observer {
		for _, e := range p.log.after(end) {
			p.send(f.link, &Message{Type: Proposal, Zxid: e.Zxid, Entry: e})
		}
	}
	if !early {
		p.send(f.link, newLeader)
	}
	f.forwarded, f.sent = true, end
	f.deadline = p.now + p.limit(p.opts.InitLimit+p.opts.SyncLimit)
}

// awaitState tells whether a learner waits for the state of this server, that begins
// to lead, to be made anew from the whole log. A state takes the place of the
// learner's log, in which there may be committed transactions: those that this server
// has, too, and has not applied so far. Were they sent behind the state, they would be
// missing on the learner's disk for that time, and in a quorum that is elected then.
func (p *Peer) awaitState(f *follower) bool {
	l := p.leader
	if l == nil || p.phase != Synchronization {
		return false
	}
	if l.reload == 0 && p.log.applied < min(f.epochAck.Zxid, p.log.last) {
		p.log.applied = p.log.last
		p.write(Write{Kind: WriteTruncate, Zxid: p.log.last, Reload: true})
		l.reload = p.seq
	}
	return l.reload > p.stored
}

// crowded tells whether as many learners as may be are being brought in line, by
// states or otherwise.
func (p *Peer) crowded(state bool) bool {
	n := 0
	for _, f := range p.feed().learners {
		if f.forwarded && !f.acked && f.state == state {
			n++
		}
	}
	if state {
		return n >= p.opts.MaxSnapSyncs
	}
	return n >= p.opts.MaxDiffSyncs
}
