package mixed

import (
	"context"
	"sync"
	"testing"

	"github.com/quollhq/quoll/internal/peer/peertest"
	"github.com/quollhq/quoll/internal/zab"
	"github.com/quollhq/quoll/test/harness"
)

// A member observes Apache's servers: it is brought in line and applies what is committed, also under another leader.
func TestObserver(t *testing.T) {
	tb := tableOf(t, 3, harness.Seat{Subject: apache()}, harness.Seat{Subject: apache()}, harness.Seat{Observer: true})
	observes := func() {
		t.Helper()
		tb.member.Await("a leader to observe", func() bool { return tb.member.Role.Serving() && tb.member.Role.State == zab.Observing })
	}
	for sid := range 2 {
		tb.Server(sid + 1).Launch()
	}
	tb.sit()
	observes()
	tb.Server(1).WaitReady()
	tb.write(tb.client(1), "first", 50)
	tb.member.Stop()
	tb.write(tb.client(1), "without", 50)
	tb.sit()
	observes()
	leader := tb.Leader()
	tb.Server(leader).Kill()
	tb.member.Await("to be without a leader", func() bool { return !tb.member.Role.Serving() })
	tb.Server(leader).Launch()
	tb.Server(leader).WaitReady()
	observes()
	tb.write(tb.client(leader), "last", 50)
}

// A member leads one of Apache's servers that follows, and one that observes.
func TestApacheObserves(t *testing.T) {
	tb := tableOf(t, 2, harness.Seat{Subject: apache()}, harness.Seat{}, harness.Seat{Subject: apache(), Observer: true})
	tb.sit()
	tb.Server(1).Launch()
	tb.Server(3).Launch()
	tb.member.Await("to lead", func() bool { return tb.member.Role.Leads() })
	ctx, cancel := context.WithCancel(context.Background())
	l := &leaderOf{tb: tb, next: tb.member.Role.NextZxid}
	var answering sync.WaitGroup
	answering.Go(func() { l.run(ctx) })
	defer answering.Wait()
	defer cancel()
	create := func(n int) int64 {
		l.propose(ctx, func(zxid int64) []byte { return peertest.Creates(zxid, n, []byte("data")).Records }, n)
		return l.next - 1
	}
	tb.Server(3).WaitReady()
	c := tb.client(3)
	tb.sees(c, create(100))
	tb.Server(3).Kill()
	last := create(100)
	tb.Server(3).Restart()
	tb.sees(tb.client(3), last)
	tb.sees(tb.client(3), create(1))
}
