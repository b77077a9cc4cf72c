package listener

import (
	"encoding/binary"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/request"
	"github.com/quollhq/quoll/internal/session"
)

// nobody is an ensemble that never agrees upon anything.
type nobody struct{}

func (nobody) Propose(request.Proposal) error { return nil }
func (nobody) Reconfigure(*proto.ReconfigRequest, int64) ([]byte, proto.Code) {
	return nil, proto.Unimplemented
}
func (nobody) Forward([]request.Forwarded) {}
func (nobody) Confirm(uint64)              {}
func (nobody) Revalidate(int64, int32)     {}
func (nobody) Roll()                       {}

// TestRoleEndsDuringHandshakes has members lose their role while clients wait for
// a session, a new one or their own.
func TestRoleEndsDuringHandshakes(t *testing.T) {
	for name, begin := range map[string]func(*request.Engine){
		"leads":   func(e *request.Engine) { e.Lead(1<<32 + 1) },
		"follows": (*request.Engine).Follow,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(s *setup) {
				s.engine.Ensemble, s.engine.Clock = nobody{}, func() int64 { return 0 }
			})
			begin(w.Engine)
			p := w.dial()
			p.send(frame((&proto.ConnectRequest{TimeOut: 10000, Passwd: make([]byte, 16)}).Append(nil)))
			await(t, "the session to be asked for", func() bool { return w.Engine.InFlight() == 1 })
			w.Engine.Rest()
			begin(w.Engine)
			w.CloseAll("a new role")
			if b, err := readFrame(p); err == nil {
				t.Errorf("it goes on, with %x", b)
			}
			w.Engine.Rest()
		})
	}
}

// leader says that all sessions live, and answers syncs when it is told to.
type leader struct {
	nobody
	w     *world
	syncs atomic.Int32
}

func (l *leader) Revalidate(id int64, _ int32) { go l.w.Engine.Renewed(id, true) }

func (l *leader) Forward([]request.Forwarded) { l.syncs.Add(1) }

// TestSyncKeepsItsPlace sends a write behind a sync that is refused without
// anybody being asked.
func TestSyncKeepsItsPlace(t *testing.T) {
	l := &leader{}
	w := newWorld(t, func(s *setup) { s.engine.Ensemble, s.engine.Clock = l, func() int64 { return 0 } })
	l.w = w
	w.Engine.Follow()
	w.Sessions.Commit(7, 10000, 1000)
	pass := session.Password(7)
	p := w.dial()
	if r := p.connect(proto.ConnectRequest{SessionID: 7, TimeOut: 10000, Passwd: pass[:]}); r.SessionID != 7 {
		t.Fatalf("the session has ended: %+v", r)
	}
	p.send(slices.Concat(message(1, proto.OpSync, []byte{0, 0, 0, 1, '/'}), message(2, proto.OpSetData, nil)))
	await(t, "the sync", func() bool { return l.syncs.Load() == 1 })
	w.Engine.Synced()
	for want := range uint32(2) {
		if got := binary.BigEndian.Uint32(p.next()); got != want+1 {
			t.Errorf("reply to %d, want that to %d", got, want+1)
		}
	}
	w.Engine.Rest()
}
