package request

import (
	"slices"

	"github.com/quollhq/quoll/internal/session"
)

// line is what a learner forwards, in its order: a sync is asked for once the
// writes before it are proposed, and what is behind one that holds waits until it
// is answered. A learner of Apache's takes commits and answers to syncs for those of
// its own requests that are next, and answers its clients wrongly, or not at all, if
// they come in another order.
type line struct {
	steps      []step // that wait
	unproposed int    // submissions in the queue, or being prepared
	asked      []bool // syncs that are not answered: whether they hold
	holding    int    // those of them that do
}

// step is writes, or a sync.
type step struct {
	writes *submission
	sync   func()
	holds  bool
}

// earlier is what a learner asks a leader that does not know so far that it leads.
type earlier struct {
	epoch int64
	owner session.Owner
	step  step
}

// line enters what a learner has forwarded to the leader of an epoch.
func (q *queue) line(owner session.Owner, epoch int64, s step) {
	q.mu.Lock()
	var syncs []func()
	switch {
	case q.closing || q.failed || epoch < q.epoch:
	case epoch > q.epoch:
		q.early = append(q.early, earlier{epoch, owner, s})
	case !q.refusing:
		syncs = q.lineUp(owner, s)
	}
	q.mu.Unlock()
	call(syncs)
}

// lineUp enters what a learner has forwarded, and gives the syncs that need not wait.
// The lock is held.
func (q *queue) lineUp(owner session.Owner, s step) []func() {
	l := q.lines[owner]
	if l == nil {
		if q.lines == nil {
			q.lines = make(map[session.Owner]*line)
		}
		l = new(line)
		q.lines[owner] = l
	}
	l.steps = append(l.steps, s)
	return q.advance(owner, l, nil)
}

// advance lets go what need not wait any more: writes into the queue, and syncs,
// which the caller calls without the lock, behind those in syncs. The lock is held.
func (q *queue) advance(owner session.Owner, l *line, syncs []func()) []func() {
	n := 0
	for ; n < len(l.steps); n++ {
		s := &l.steps[n]
		if l.holding > 0 && s.writes != nil || l.unproposed > 0 && s.writes == nil {
			break
		}
		if s.writes != nil {
			l.unproposed++
			q.submit(s.writes)
			continue
		}
		l.asked = append(l.asked, s.holds)
		if s.holds {
			l.holding++
		}
		syncs = append(syncs, s.sync)
	}
	l.steps = slices.Delete(l.steps, 0, n)
	if len(l.steps) == 0 && l.unproposed == 0 && len(l.asked) == 0 {
		delete(q.lines, owner)
	}
	return syncs
}

func call(syncs []func()) {
	for _, f := range syncs {
		f()
	}
}

// proposed notes that a submission of each of the learners is proposed.
func (q *queue) proposed(learners []session.Owner) {
	if len(learners) == 0 {
		return
	}
	var syncs []func()
	q.mu.Lock()
	for _, owner := range learners {
		if l := q.lines[owner]; l != nil { // it is of this role
			l.unproposed--
			syncs = q.advance(owner, l, syncs)
		}
	}
	q.mu.Unlock()
	call(syncs)
}

// answered notes that a learner has the answer to the first of its syncs.
func (q *queue) answered(owner session.Owner) {
	var syncs []func()
	q.mu.Lock()
	if l := q.lines[owner]; l != nil && len(l.asked) > 0 {
		if l.asked[0] {
			l.holding--
		}
		l.asked = slices.Delete(l.asked, 0, 1)
		syncs = q.advance(owner, l, nil)
	}
	q.mu.Unlock()
	call(syncs)
}

// forget drops what waits of a learner that has gone.
func (q *queue) forget(owner session.Owner) {
	q.mu.Lock()
	delete(q.lines, owner)
	q.early = slices.DeleteFunc(q.early, func(e earlier) bool { return e.owner == owner })
	q.mu.Unlock()
}
