package peer

import "github.com/quollhq/quoll/internal/zab"

// job is something for the machine. Its parts are done in the order of the fields.
type job struct {
	restore   State
	commit    []zab.Entry
	size      int // of commit, which counts for the budget
	reads     []zab.Read
	messages  []zab.Upcall
	configure *zab.Membership
	serve     *Role
	freeze    *future
}

// runMachine calls the machine.
func (p *Peer) runMachine() {
	m := p.cfg.Machine
	for jobs := p.machine.wait(); jobs != nil; jobs = p.machine.wait() {
		for i := range jobs {
			p.runJob(m, &jobs[i])
		}
	}
}

func (p *Peer) runJob(m Machine, j *job) {
	if j.restore != nil {
		m.Restore(j.restore)
	}
	if len(j.commit) > 0 {
		m.Apply(j.commit)
		p.waiting.sub(j.size)
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
