package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// shut closes c while its server answers.
func shut(t *testing.T, c *Client, fc *fakeConn) {
	t.Helper()
	synctest.Wait() // until c knows of the connection
	done := async(c.Close)
	fc.end()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestHandshake(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client(WithReadOnly())
		fc, req := f.accept()
		if req.TimeOut != 9000 || req.SessionID != 0 || req.LastZxidSeen != 0 || len(req.Passwd) != 16 || !req.ReadOnly {
			t.Errorf("request %+v", req)
		}
		if err := c.WaitConnected(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := c.Session()
		if s.ID() != fakeSession || string(s.Password()) != "0123456789abcdef" || s.Timeout() != 9*time.Second || c.Server() != "a:1" {
			t.Errorf("session %+v", s)
		}
		shut(t, c, fc)
		select {
		case <-s.Done():
		default:
			t.Error("the session is not done")
		}
		_, _, err := c.Get(t.Context(), "/a")
		wantIs(t, err, ErrClosed)
		if c.State() != StateClosed {
			t.Errorf("state %v", c.State())
		}
	})
}

func TestPingsAndSafety(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		began := time.Now()
		fc, _ := f.accept()
		if err := c.WaitConnected(t.Context()); err != nil {
			t.Fatal(err)
		}
		safe := 9*time.Second - 9*time.Second/50
		if got := c.Session().SafeUntil().Sub(began); got != safe {
			t.Errorf("safe for %v, want %v", got, safe)
		}
		got := async(func() error { _, _, err := c.Exists(t.Context(), "/a"); return err })
		h, _ := fc.request(proto.OpExists)
		time.Sleep(4 * time.Second) // the ping of second 3 waits in the pipe
		fc.reply(h.Xid, 1, proto.OK, existsReply())
		if err := <-got; err != nil {
			t.Fatal(err)
		}
		pinged := async(func() error { _, _, err := c.Exists(t.Context(), "/b"); return err })
		fc.answer(proto.OpExists, 2, proto.OK, existsReply())
		if err := <-pinged; err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if fc.pings != 1 {
			t.Errorf("%d pings", fc.pings)
		}
		if got := c.Session().SafeUntil().Sub(began); got != 3*time.Second+safe {
			t.Errorf("safe for %v, want %v", got, 3*time.Second+safe)
		}
		shut(t, c, fc)
	})
}

func TestSilentServer(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		events := c.Events()
		fc, _ := f.accept()
		began := time.Now()
		drained := async(func() error { // reads pings and says nothing
			for {
				if _, err := fc.Read(make([]byte, 100)); err != nil {
					return err
				}
			}
		})
		again, req := f.accept()
		if silent := time.Since(began); silent < 6*time.Second || silent > 7*time.Second {
			t.Errorf("gave up after %v, want 6 s", silent)
		}
		if req.SessionID != fakeSession || string(req.Passwd) != "0123456789abcdef" {
			t.Errorf("request %+v", req)
		}
		<-drained
		shut(t, c, again)
		var states []State
		for ev := range events.All(t.Context()) {
			states = append(states, ev.State)
		}
		if want := []State{StateConnected, StateConnecting, StateConnected, StateClosed, 0}; !slices.Equal(states, want) {
			t.Errorf("states %v, want %v", states, want)
		}
	})
}

func TestReconnectCarriesOn(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		read := async(func() error {
			data, _, err := c.Get(t.Context(), "/a")
			if err == nil && string(data) != "second" {
				err = errors.New("data " + string(data))
			}
			return err
		})
		fc.request(proto.OpGetData)
		write := async(func() error { _, err := c.Set(t.Context(), "/a", nil, 0); return err })
		fc.request(proto.OpSetData)
		fc.event(proto.EventNodeCreated, "/x", 77) // does not count as seen
		fc.Close()

		err := <-write
		wantIs(t, err, ErrConnectionLoss)
		if !MaybeApplied(err) {
			t.Errorf("outcome known of %v", err)
		}
		fc, req := f.accept()
		if req.LastZxidSeen != 0 {
			t.Errorf("seen %d", req.LastZxidSeen)
		}
		fc.answer(proto.OpGetData, 42, proto.OK, getReply("second"))
		if err := <-read; err != nil {
			t.Error(err)
		}
		if c.LastZxid() != 42 {
			t.Errorf("seen %d", c.LastZxid())
		}
		shut(t, c, fc)
	})
}

func TestExpiry(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		if err := c.WaitConnected(t.Context()); err != nil {
			t.Fatal(err)
		}
		added := async(func() *Watch { w, _ := c.AddWatch(t.Context(), "/w", WatchTree); return w })
		fc.answer(proto.OpAddWatch, 1, proto.OK, []byte{0, 0, 0, 0})
		w := <-added
		once := async(func() <-chan Event { _, _, ch, _ := c.ExistsW(t.Context(), "/o"); return ch })
		fc.answer(proto.OpExists, 1, proto.NoNode, nil)
		ch := <-once
		old := c.Session()
		f.refusing.Store(true)
		fc.Close()
		synctest.Wait()
		waiting := async(func() error { _, err := c.Create(t.Context(), "/e", nil, Ephemeral); return err })
		synctest.Wait()
		f.refusing.Store(false)
		f.accept(func(r *proto.ConnectResponse) {
			*r = proto.ConnectResponse{Passwd: make([]byte, 16), HasReadOnly: true}
		})

		err := <-waiting
		wantIs(t, err, ErrSessionExpired)
		if MaybeApplied(err) {
			t.Error("a request that was never sent may have been applied")
		}
		<-old.Done()
		if ev := <-ch; ev.Type != EventSession || ev.State != StateExpired || !errors.Is(ev.Err, ErrSessionExpired) {
			t.Errorf("event %+v", ev)
		}
		if _, err := w.Next(t.Context()); !errors.Is(err, ErrSessionExpired) {
			t.Errorf("stream ended by %v", err)
		}
		fc, req := f.accept(func(r *proto.ConnectResponse) { r.SessionID = 99 })
		if req.SessionID != 0 || req.LastZxidSeen != 1 {
			t.Errorf("request %+v", req)
		}
		if err := c.WaitConnected(t.Context()); err != nil {
			t.Fatal(err)
		}
		if c.Session().ID() != 99 {
			t.Errorf("session %x", c.Session().ID())
		}
		shut(t, c, fc) // fails at any setWatches: nothing is watched any more
	})
}

func TestSingleSession(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client(WithSingleSession(), WithSession(7, []byte("password")))
		waiting := async(func() error { _, _, err := c.Get(t.Context(), "/a"); return err })
		_, req := f.accept(func(r *proto.ConnectResponse) { r.TimeOut = 0 })
		if req.SessionID != 7 || string(req.Passwd) != "password" {
			t.Errorf("request %+v", req)
		}
		wantIs(t, <-waiting, ErrSessionExpired)
		wantIs(t, c.WaitConnected(t.Context()), ErrSessionExpired)
		if c.State() != StateExpired {
			t.Errorf("state %v", c.State())
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestDetachLeavesTheSession(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		rest := async(func() int { n, _ := fc.Read(make([]byte, 100)); return n })
		if err := c.WaitConnected(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := c.Detach(); err != nil {
			t.Fatal(err)
		}
		if n := <-rest; n != 0 {
			t.Errorf("%d bytes came", n)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseWhileNobodyAnswers(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		if err := c.WaitConnected(t.Context()); err != nil {
			t.Fatal(err)
		}
		other := async(func() error { _, err := c.Set(t.Context(), "/a", nil, 0); return err })
		fc.request(proto.OpSetData)
		began := time.Now()
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if took := time.Since(began); took != closeTimeout {
			t.Errorf("close took %v", took)
		}
		err := <-other
		wantIs(t, err, ErrClosed)
		if !MaybeApplied(err) {
			t.Error("the outcome counts as known")
		}
	})
}

func TestContexts(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		f.refusing.Store(true)
		c := f.client()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := c.Delete(ctx, "/a", 0)
		wantIs(t, err, context.DeadlineExceeded)
		if MaybeApplied(err) {
			t.Error("what was not sent may have been applied")
		}
		err = c.WaitConnected(ctx)
		wantIs(t, err, context.DeadlineExceeded)

		f.refusing.Store(false)
		fc, _ := f.accept()
		ctx, cancel = context.WithCancel(t.Context())
		deleted := async(func() error { return c.Delete(ctx, "/a", 0) })
		h, _ := fc.request(proto.OpDelete)
		cancel()
		err = <-deleted
		wantIs(t, err, context.Canceled)
		if !MaybeApplied(err) {
			t.Error("the outcome counts as known")
		}
		fc.reply(h.Xid, 1, proto.OK, nil) // nobody waits for it, and the next one still gets its own
		got := async(func() error { return c.Delete(t.Context(), "/b", 0) })
		fc.answer(proto.OpDelete, 2, proto.NoNode, nil)
		wantIs(t, <-got, ErrNoNode)
		shut(t, c, fc)
	})
}

func TestRequestTimeout(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client(WithRequestTimeout(2 * time.Second))
		fc, _ := f.accept()
		began := time.Now()
		got := async(func() error { return c.Delete(t.Context(), "/a", 0) })
		h, _ := fc.request(proto.OpDelete)
		err := <-got
		wantIs(t, err, ErrRequestTimeout)
		if took := time.Since(began); took != 2*time.Second || !MaybeApplied(err) {
			t.Errorf("%v after %v", err, took)
		}
		fc.reply(h.Xid, 1, proto.OK, nil)
		shut(t, c, fc)
	})
}

func TestFailFast(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		f.refusing.Store(true)
		c := f.client(WithFailFast())
		_, _, err := c.Get(t.Context(), "/a")
		wantIs(t, err, ErrConnectionLoss)
		f.refusing.Store(false)
		fc, _ := f.accept()
		got := async(func() error { _, _, err := c.Get(t.Context(), "/a"); return err })
		fc.request(proto.OpGetData)
		fc.Close()
		wantIs(t, <-got, ErrConnectionLoss)
		f.refusing.Store(true)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Dial can give up at once, with what each server has said, and else waits and says so
// once.
func TestDialNobody(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		f.refusing.Store(true)
		began := time.Now()
		_, err := Dial(FailFast(t.Context()), "a:1,b:1", WithDialer(f.dial), WithServerOrder())
		wantIs(t, err, ErrConnectionLoss)
		for _, why := range []string{"connect to a:1: refused", "connect to b:1: refused"} {
			if !strings.Contains(err.Error(), why) {
				t.Errorf("%v does not tell of %q", err, why)
			}
		}
		if n := len(f.dials); n != 2 || time.Since(began) > 0 {
			t.Errorf("%d attempts in %v", n, time.Since(began))
		}
		var log logged
		warnings := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = Dial(ctx, "a:1,b:1", WithDialer(f.dial), WithLogger(warnings))
		wantIs(t, err, context.DeadlineExceeded)
		if lines := strings.Count(log.String(), "\n"); lines != 1 || !strings.Contains(log.String(), "connect to b:1: refused") {
			t.Errorf("logged %q", &log)
		}
	})
}

// logged is what a logger has written, to be read meanwhile.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A server that is away for a moment is no news; that it is back after long is.
func TestWarnsOfLongAbsence(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		var log logged
		c := f.client(WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))))
		for _, away := range []time.Duration{time.Second, time.Second, 2 * patience} {
			f.refusing.Store(false)
			fc, _ := f.accept()
			f.refusing.Store(true)
			fc.Close()
			synctest.Wait()
			if log.String() != "" {
				t.Errorf("logged %q", &log)
			}
			time.Sleep(away)
		}
		if lines := strings.Count(log.String(), "\n"); lines != 1 {
			t.Errorf("logged %q", &log)
		}
		f.refusing.Store(false)
		for range 2 { // of the second connection there is nothing to tell
			fc, _ := f.accept()
			synctest.Wait()
			if text := log.String(); strings.Count(text, "\n") != 2 || !strings.Contains(text, "a server is reached again") {
				t.Errorf("logged %q", text)
			}
			fc.Close()
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestFailFastTriesAll has one server of three that lets the client in, and then none.
func TestFailFastTriesAll(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr != "c:1" {
				return nil, fmt.Errorf("dial %s: %w", addr, context.DeadlineExceeded)
			}
			return f.dial(ctx, network, addr)
		}
		c, err := New("a:1,b:1,c:1", WithDialer(dial), WithServerOrder(), WithFailFast(), WithSessionTimeout(9*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		got := async(func() error { return c.Delete(t.Context(), "/a", 0) })
		fc, _ := f.accept()
		h, _ := fc.request(proto.OpDelete)
		fc.reply(h.Xid, 1, proto.OK, nil)
		if err := <-got; err != nil {
			t.Fatal(err)
		}
		f.refusing.Store(true)
		fc.Close()
		synctest.Wait()
		err = c.Delete(t.Context(), "/a", 0)
		wantIs(t, err, ErrConnectionLoss)
		for _, why := range []string{"connect to a:1", "connect to b:1", "connect to c:1"} {
			if !strings.Contains(err.Error(), why) {
				t.Errorf("%v does not tell of %s", err, why)
			}
		}
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v is taken for the caller's context", err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestRotation(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		f.refusing.Store(true)
		c, err := New("a,b:7,[::1]:9", WithDialer(f.dial), WithServerOrder())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		want := []string{"a:2181", "b:7", "[::1]:9"}
		for i, addr := range f.dials {
			if addr != want[i%3] {
				t.Fatalf("dialled %q", f.dials)
			}
		}
		// 100 ms, 200 ms, 400 ms, 800 ms, then 1 s after each round; half of it at random.
		if n := len(f.dials); n < 3*10 || n > 3*25 {
			t.Errorf("%d attempts in 10 s", n)
		}
	})
}

func TestAuthentication(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client(WithAuth("digest", []byte("a:a")))
		fc, _ := f.accept()
		auth := func(fc *fakeConn, want string, code proto.Code) {
			t.Helper()
			h, d := fc.request(proto.OpAuth)
			var p proto.AuthPacket
			p.Decode(&d)
			if h.Xid != proto.XidAuth || p.Scheme != "digest" || string(p.Auth) != want {
				t.Errorf("auth %+v %+v", h, p)
			}
			fc.reply(proto.XidAuth, 0, code, nil)
		}
		auth(fc, "a:a", proto.OK)
		for range 2 {
			added := async(func() error { return c.AddAuth(t.Context(), "digest", []byte("b:b")) })
			auth(fc, "b:b", proto.OK)
			if err := <-added; err != nil {
				t.Fatal(err)
			}
		}
		refused := async(func() error { return c.AddAuth(t.Context(), "digest", []byte("c:c")) })
		auth(fc, "c:c", proto.AuthFailed)
		wantIs(t, <-refused, ErrAuthFailed)
		fc.Close()

		fc, _ = f.accept() // goes on without the identity that was refused
		auth(fc, "a:a", proto.OK)
		auth(fc, "b:b", proto.AuthFailed)
		synctest.Wait()
		wantIs(t, c.WaitConnected(t.Context()), ErrAuthFailed)
		if c.State() != StateAuthFailed {
			t.Errorf("state %v", c.State())
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestReadOnlyServer(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c, err := New("ro,rw", WithDialer(f.dial), WithServerOrder(), WithReadOnly(), WithSessionTimeout(9*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		fc, _ := f.accept(func(r *proto.ConnectResponse) { r.ReadOnly = true })
		if err := c.WaitConnected(t.Context()); err != nil || c.State() != StateReadOnly {
			t.Fatalf("state %v, %v", c.State(), err)
		}
		first := c.Session()
		for _, answer := range []string{"ro", "", "ro", "rw"} {
			probe := <-f.conns
			word := make([]byte, 4)
			if _, err := probe.Read(word); err != nil || string(word) != "isro" {
				t.Fatalf("asked %q, %v", word, err)
			}
			if answer != "" {
				_, _ = probe.Write([]byte(answer))
			}
			probe.Close()
		}
		if _, err := fc.Read(make([]byte, 1)); err == nil {
			t.Error("the read-only connection goes on")
		}
		fc, req := f.accept(func(r *proto.ConnectResponse) { r.SessionID = 5 })
		if fc.addr != "rw:2181" || req.SessionID != 0 {
			t.Errorf("server %s, request %+v", fc.addr, req)
		}
		if err := c.WaitConnected(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-first.Done()
		if c.State() != StateConnected || c.Session().ID() != 5 {
			t.Errorf("state %v, session %x", c.State(), c.Session().ID())
		}
		shut(t, c, fc)
	})
}

// What is ready while a write is under way leaves in the next one.
func TestOneWriteForMany(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		if err := c.WaitConnected(t.Context()); err != nil {
			t.Fatal(err)
		}
		before := f.writes.Load()
		const n = 50
		errs := make(chan error, n+1)
		get := func() { _, _, err := c.Get(t.Context(), "/a"); errs <- err }
		go get()
		synctest.Wait() // its write waits for the server to read
		for range n {
			go get()
		}
		synctest.Wait()
		for range n + 1 {
			fc.answer(proto.OpGetData, 1, proto.OK, getReply("x"))
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
		}
		if writes := f.writes.Load() - before; writes != 2 {
			t.Errorf("%d writes", writes)
		}
		shut(t, c, fc)
	})
}

func TestMaxInFlight(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client(WithMaxInFlight(1))
		fc, _ := f.accept()
		first := async(func() error { return c.Sync(t.Context(), "/a") })
		h, _ := fc.request(proto.OpSync)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := c.Sync(ctx, "/b")
		wantIs(t, err, context.DeadlineExceeded)
		fc.reply(h.Xid, 1, proto.OK, jute.AppendString(nil, "/a"))
		if err := <-first; err != nil {
			t.Error(err)
		}
		shut(t, c, fc)
	})
}
