package listener

import (
	"net"
	"net/netip"
	"testing"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/session"
	"github.com/quollhq/quoll/internal/throttle"
)

// TestRenewalOfASessionThatIsBeingClosed comes back to a session while the
// connection that it had so far closes it: what that connection submitted last
// is its end, of which nobody tells another connection.
func TestRenewalOfASessionThatIsBeingClosed(t *testing.T) {
	w := newWorld(t, nil)
	first := w.client()
	near, far := net.Pipe()
	defer far.Close()
	old := newConn(w.Listener, near, netip.AddrPort{}, throttle.NewConnections(throttle.ConnectionOptions{}))
	w.mu.Lock()
	w.byID[first.id] = old // it stands for the first one, and ends when we say so
	w.mu.Unlock()

	second := w.dial()
	r := proto.ConnectRequest{TimeOut: 10000, SessionID: first.id, Passwd: first.pass, HasReadOnly: true}
	second.send(frame(r.Append(nil)))
	await(t, "the first connection to be told to end", old.leaving)
	w.Sessions.SetClosing(first.id)
	close(old.done)
	d := jute.NewDecoder(second.next())
	var got proto.ConnectResponse
	if got.Decode(&d); d.Err() != nil || got.SessionID != 0 || got.TimeOut != 0 {
		t.Errorf("a session that is being closed was renewed: %+v, %v", got, d.Err())
	}
}

// TestSessionThatExpiresBeforeItIsDurable has the log take longer for a new
// session than its time-out.
func TestSessionThatExpiresBeforeItIsDurable(t *testing.T) {
	disk := &memLog{gate: make(chan struct{})}
	w := newWorld(t, func(s *setup) { s.disk = disk })
	p := w.dial()
	r := proto.ConnectRequest{TimeOut: 4000, Passwd: make([]byte, 16), HasReadOnly: true}
	p.send(frame(r.Append(nil)))
	await(t, "the session to be submitted", func() bool { return w.Engine.InFlight() == 1 })
	w.now.Add(10_000)
	w.Sessions.Due(w.now.Load(), func(s *session.Session) {
		if err := w.Engine.CloseSession(s); err != nil {
			t.Error(err)
		}
	})
	disk.release()
	d := jute.NewDecoder(p.next())
	var got proto.ConnectResponse
	if got.Decode(&d); d.Err() != nil || got.SessionID != 0 || got.TimeOut != 0 {
		t.Errorf("a session that has expired was opened: %+v, %v", got, d.Err())
	}
	p.ended()
}
