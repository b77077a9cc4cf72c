package client

import (
	"sync"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

// The session, its ephemeral nodes and its watches outlive the server.
func TestServerKilled(t *testing.T) {
	each(t, harness.Config{}, func(t *testing.T, s *harness.Server) {
		ctx := testContext(t)
		c := dial(t, s.Addr(), client.WithSessionTimeout(30*time.Second))
		session := c.Session().ID()
		mustCreate(t, c, "/killed", "x", client.Ephemeral)
		w, err := c.AddWatch(ctx, "/killed", client.WatchTree)
		must(t, err)
		_, _, once, err := c.ChildrenW(ctx, "/")
		must(t, err)
		s.Kill()
		// Asked while there is no server; answered by the next one.
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if data, _, err := c.Get(ctx, "/killed"); err != nil || string(data) != "x" {
					t.Errorf("get: %q, %v", data, err)
				}
			})
		}
		s.Restart()
		wg.Wait()
		if c.Session().ID() != session {
			t.Error("the session changed")
		}
		wantNext(t, w, client.EventReset, "/killed")
		must(t, c.Delete(ctx, "/killed", 0))
		wantNext(t, w, client.EventDeleted, "/killed")
		wantOnce(t, once, client.EventChildrenChanged, "/")
	})
}

// What happened while the client was away, one-shot watches tell afterwards.
func TestCutOff(t *testing.T) {
	each(t, harness.Config{}, func(t *testing.T, s *harness.Server) {
		ctx := testContext(t)
		proxy := harness.NewProxy(t, s.Addr())
		away := dial(t, proxy.Addr(), client.WithSessionTimeout(30*time.Second))
		here := dial(t, s.Addr())
		mustCreate(t, here, "/cut", "")
		mustCreate(t, here, "/cut/gone", "")
		_, _, data, err := away.GetW(ctx, "/cut")
		must(t, err)
		_, _, children, err := away.ChildrenW(ctx, "/cut")
		must(t, err)
		_, _, gone, err := away.GetW(ctx, "/cut/gone")
		must(t, err)
		_, _, created, err := away.ExistsW(ctx, "/cut/new")
		must(t, err)
		proxy.Cut()
		_, err = here.Set(ctx, "/cut", []byte("x"), 0)
		must(t, err)
		must(t, here.Delete(ctx, "/cut/gone", 0))
		mustCreate(t, here, "/cut/new", "")
		proxy.Heal()
		wantOnce(t, data, client.EventDataChanged, "/cut")
		wantOnce(t, children, client.EventChildrenChanged, "/cut")
		wantOnce(t, gone, client.EventDeleted, "/cut/gone")
		wantOnce(t, created, client.EventCreated, "/cut/new")
	})
}

// A client that is away too long finds its session gone, and goes on with
// another.
func TestSessionExpires(t *testing.T) {
	each(t, harness.Config{}, func(t *testing.T, s *harness.Server) {
		ctx := testContext(t)
		proxy := harness.NewProxy(t, s.Addr())
		away := dial(t, proxy.Addr(), client.WithSessionTimeout(5*time.Second))
		here := dial(t, s.Addr())
		mustCreate(t, away, "/expires", "", client.Ephemeral)
		w, err := away.AddWatch(ctx, "/", client.WatchTree)
		must(t, err)
		session := away.Session()
		_, _, gone, err := here.ExistsW(ctx, "/expires")
		must(t, err)
		proxy.Cut()
		wantOnce(t, gone, client.EventDeleted, "/expires")
		if time.Now().Before(session.SafeUntil()) {
			t.Error("the session has expired before SafeUntil")
		}
		proxy.Heal()
		<-session.Done()
		for err == nil {
			_, err = w.Next(ctx)
		}
		wantErr(t, err, client.ErrSessionExpired)
		mustCreate(t, away, "/expires", "", client.Ephemeral)
		if away.Session().ID() == session.ID() {
			t.Error("the session goes on")
		}
	})
}

// A session moves to another client, and the first one notices.
func TestTakeover(t *testing.T) {
	each(t, harness.Config{}, func(t *testing.T, s *harness.Server) {
		ctx := testContext(t)
		first := dial(t, s.Addr())
		mustCreate(t, first, "/takeover", "", client.Ephemeral)
		session := first.Session()
		must(t, first.Detach())
		second := dial(t, s.Addr(), client.WithSession(session.ID(), session.Password()))
		stat, found, err := second.Exists(ctx, "/takeover")
		must(t, err)
		if !found || stat.EphemeralOwner != second.Session().ID() {
			t.Errorf("the node is of %x, the session %x", stat.EphemeralOwner, second.Session().ID())
		}
	})
}
