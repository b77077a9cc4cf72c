package request

import (
	"github.com/quollhq/quoll/internal/auth"
	"github.com/quollhq/quoll/internal/failpoint"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// moment is the present of some clients: all who ask before the question leaves
// share it.
type moment struct {
	session int64 // of the first who asked
	ids     []auth.ID
	over    chan struct{} // closed when it is known whether
	come    bool          // this member has come there
}

// Present waits until this member has come as far as the ensemble was when it was
// called: what it reads from then on shows all that any client was told of before.
// A leader asks a quorum whether
// it still leads; a learner asks its leader, which does the same, unless it is
// Apache's: that one believes that it leads until it hears otherwise. Nothing is
// logged. A server that is alone is always there.
//
// The error is ErrNotServing, also once gone is closed.
func (e *Engine) Present(c *Client, gone <-chan struct{}) error {
	if e.Ensemble == nil {
		return nil
	}
	for {
		if m := e.joinMoment(c); m != nil {
			select {
			case <-m.over:
				if m.come {
					return nil
				}
			case <-gone:
			}
		}
		if leaving(gone) || !e.await(c) {
			return ErrNotServing
		}
	}
}

// joinMoment is the next moment that is asked for, nil if nobody can be asked.
func (e *Engine) joinMoment(c *Client) *moment {
	f := &e.pipe.flight
	f.mu.Lock()
	defer f.mu.Unlock()
	role := f.role.Load()
	if c.role.Load() != f.number || role != leading && role != following {
		return nil
	}
	if f.next == nil {
		f.next = &moment{session: c.Session.ID(), ids: c.IDs(), over: make(chan struct{})}
	}
	m := f.next
	if f.asked == nil {
		e.askNext()
	}
	return m
}

// askNext asks for the next moment. The flight's lock is held.
func (e *Engine) askNext() {
	f := &e.pipe.flight
	f.asked, f.next = f.next, nil
	if f.role.Load() == leading {
		f.token++
		e.Ensemble.Confirm(f.token)
		return
	}
	e.Ensemble.Forward([]Forwarded{{Session: f.asked.session, Op: proto.OpSync, Body: jute.AppendString(nil, "/"), IDs: f.asked.ids}})
}

// Confirmed is the answer to Ensemble.Confirm.
func (e *Engine) Confirmed(token uint64) { e.arrived(leading, token) }

// Synced is the answer to a sync that was forwarded.
func (e *Engine) Synced() { e.arrived(following, 0) }

// arrived lets those go on who wait for the moment that was asked for in this role.
func (e *Engine) arrived(as role, token uint64) {
	failpoint.Pass(failpoint.Sync)
	f := &e.pipe.flight
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asked == nil || f.role.Load() != as || as == leading && token != f.token {
		return
	}
	f.asked.come = true
	close(f.asked.over)
	f.asked = nil
	if f.next != nil {
		e.askNext()
	}
}

// forgetMoments tells those who wait that nobody will answer. The lock is held.
func (f *flight) forgetMoments() {
	for _, m := range []*moment{f.asked, f.next} {
		if m != nil {
			close(m.over)
		}
	}
	f.asked, f.next = nil, nil
}
