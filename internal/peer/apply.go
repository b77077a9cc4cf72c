package peer

import "github.com/quollhq/quoll/internal/zab"

// job is something for the machine. Its parts are done in the order of the fields.
type job struct {
	restore   State
	commit    []zab.Entry
	list      []zab.Entry // done with when commit is applied; nil if a later job has more of it
	size      int         // of commit, which counts for the budget
	reads     []zab.Read
	messages  []zab.Upcall
	configure *zab.Membership
	serve     *Role
	freeze    *future
}

// runMachine calls the machine.
func (p *Peer) runMachine() {
	for p.machine.await() {
		p.applying.Lock()
		p.runJobs(p.machine.take())
		p.applying.Unlock()
	}
}

// applyHere calls the machine for who has brought something, if it has little to do: waking its goroutine would take as
// long.
func (p *Peer) applyHere() {
	if !p.machine.empty() && p.applying.TryLock() {
		p.runJobs(p.machine.takeIf(little))
		p.applying.Unlock()
	}
	p.machine.nudge()
}

// fewEntries is how many transactions are little to do.
const fewEntries = 64

// little tells whether jobs are no more than a few transactions to apply, and answers to reads.
func little(jobs []job) bool {
	n := 0
	for i := range jobs {
		j := &jobs[i]
		if j.restore != nil || j.serve != nil || j.freeze != nil || j.configure != nil || len(j.messages) > 0 {
			return false
		}
		n += len(j.commit)
	}
	return n <= fewEntries
}

func (p *Peer) runJobs(jobs []job) {
	for i := range jobs {
		p.runJob(p.cfg.Machine, &jobs[i])
	}
}

func (p *Peer) runJob(m Machine, j *job) {
	if j.restore != nil {
		m.Restore(j.restore)
	}
	if len(j.commit) > 0 {
		m.Apply(j.commit)
		p.waiting.sub(j.size)
		if j.list != nil {
			p.applied.add(j.list)
		}
	}
	for _, r := range j.reads {
		m.Confirmed(r)
	}
	if len(j.messages) > 0 {
		m.Received(j.messages)
	}
	if j.configure != nil {
		m.Configured(j.configure)
	}
	if j.serve != nil {
		m.Serve(*j.serve)
	}
	if j.freeze != nil {
		j.freeze.set(m.Freeze())
	}
}

// size is how many bytes transactions have.
func size(entries []zab.Entry) (n int) {
	for i := range entries {
		n += len(entries[i].Data)
	}
	return n
}
