package throttle

import (
	"errors"
	"net/netip"
	"testing"
)

func never() float64 { return 1 }

func TestTokensRunOutAndComeBack(t *testing.T) {
	b := NewTokens(TokenOptions{Max: 2, FillTime: 100, FillCount: 1, FreezeTime: -1}, never, 1000)
	for _, step := range []struct {
		now     int64
		want    bool
		deficit int
	}{
		{1000, true, 1},
		{1001, true, 2},
		{1002, false, 2},
		{1100, false, 2}, // not more than FillTime
		{1101, true, 2},  // one came and went
		{1150, false, 2},
		{1202, true, 2},
		{9000, true, 1}, // never more than Max
	} {
		if got := b.Take(1, step.now); got != step.want || b.Deficit() != step.deficit {
			t.Fatalf("at %d: %v with deficit %d, want %v with %d", step.now, got, b.Deficit(), step.want, step.deficit)
		}
	}
}

// TestTokensSurviveOverflow fills for so long that the tokens cannot be counted.
func TestTokensSurviveOverflow(t *testing.T) {
	b := NewTokens(TokenOptions{Max: 3, FillTime: 1, FillCount: 1 << 31, FreezeTime: -1}, never, 0)
	b.Take(3, 0)
	if !b.Take(1, 1<<40) || b.Deficit() != 1 {
		t.Errorf("deficit %d after a very long time", b.Deficit())
	}
}

func TestChanceFollowsLoad(t *testing.T) {
	roll := 0.3
	b := NewTokens(TokenOptions{
		Max: 1, FillTime: 1, FillCount: 0, FreezeTime: 10,
		DropIncrease: 0.25, DropDecrease: 0.5, DecreaseRatio: 0.4,
	}, func() float64 { return roll }, 0)
	take := func(now int64, want bool, chance float64) {
		t.Helper()
		if got := b.Take(1, now); got != want || b.DropChance() != chance {
			t.Fatalf("at %d: %v with chance %v, want %v with %v", now, got, b.DropChance(), want, chance)
		}
	}
	take(5, true, 0)      // takes the only token
	take(10, false, 0)    // empty, still frozen
	take(11, false, 0.25) // empty: it grows
	take(22, false, 0.5)  // again
	take(33, false, 0.75) // now chance refuses as well
	take(44, false, 1)    // and no further than that
	take(55, false, 1)    //
	b.o.FillCount = 1     // load falls
	take(66, false, 0.5)  // full: it falls, chance still refuses
	take(77, true, 0)     // and lets in
	roll = 0              // the smallest number there is
	take(80, true, 0)     // no chance refuses none
}

func TestWeights(t *testing.T) {
	for _, test := range []struct {
		name                      string
		o                         TokenOptions
		global, renew, local, max int
	}{
		{"unweighted", TokenOptions{Max: 10, GlobalWeight: 3, RenewWeight: 2, LocalWeight: 1}, 1, 1, 1, 10},
		{"usual", TokenOptions{Max: 10, Weighted: true, GlobalWeight: 3, RenewWeight: 2, LocalWeight: 1}, 3, 2, 1, 30},
		{"nonsense", TokenOptions{Max: 10, Weighted: true, GlobalWeight: 0, RenewWeight: -1, LocalWeight: 0}, 3, 2, 1, 30},
		{"local is heavy", TokenOptions{Max: 10, Weighted: true, GlobalWeight: 3, RenewWeight: 2, LocalWeight: 7}, 7, 7, 7, 70},
	} {
		b := NewTokens(test.o, never, 0)
		if g, r, l := b.Weight(false, false), b.Weight(true, false), b.Weight(false, true); g != test.global || r != test.renew || l != test.local || b.o.Max != test.max {
			t.Errorf("%s: weights %d, %d, %d of %d", test.name, g, r, l, b.o.Max)
		}
	}
}

func TestConnectionLimits(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	mapped := netip.MustParseAddr("::ffff:10.0.0.1")
	c := NewConnections(ConnectionOptions{PerAddress: 2, Total: 3})
	admit := func(addr netip.Addr, want bool) {
		t.Helper()
		if err := c.Admit(addr); err == nil != want || err != nil && !errors.Is(err, ErrTooMany) {
			t.Fatalf("%s: %v, want it in: %v", addr, err, want)
		}
	}
	admit(a, true)
	admit(mapped, true)
	admit(a, false)
	admit(b, true)
	admit(b, false) // three in all
	c.Leave(mapped)
	admit(b, true)
	c.Leave(b)
	c.Leave(b)
	c.Leave(a)
	if len(c.byAddr) != 0 || c.total != 0 {
		t.Errorf("%d connections are left of %v", c.total, c.byAddr)
	}
}

func TestLargeRequests(t *testing.T) {
	l := NewLarge(LargeOptions{Threshold: 100, MaxBytes: 300})
	take := func(n int, counted, ok bool) {
		t.Helper()
		if l.Room(n) != ok {
			t.Errorf("room for %d: %v", n, !ok)
		}
		if c, o := l.Take(n); c != counted || o != ok {
			t.Fatalf("%d bytes: counted %v, ok %v", n, c, o)
		}
	}
	take(100, false, true)
	take(101, true, true)
	take(199, true, true)
	take(101, false, false)
	take(50, false, true)
	l.Done(101)
	take(101, true, true)
	l.Done(300)
	if l.Bytes() != 0 {
		t.Errorf("%d bytes are left", l.Bytes())
	}
}

func TestGateThatIsOffLetsAllIn(t *testing.T) {
	g := NewGate(Options{
		Large: LargeOptions{Threshold: -1},
		Now:   func() int64 { return 0 },
		Chance: func() float64 {
			t.Error("chance was asked")
			return 0
		},
	})
	addr := netip.MustParseAddr("10.0.0.1")
	allocs := testing.AllocsPerRun(100, func() {
		counted, ok := g.Large(1 << 30)
		if g.Admit(addr) != nil || !g.Handshake(false) || !g.LargeRoom(1<<30) || counted || !ok {
			t.Error("something was refused")
		}
		g.Leave(addr)
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestGateTakesTokensByKind(t *testing.T) {
	now := int64(0)
	o := Options{
		Tokens: TokenOptions{Max: 1, FillTime: 1, FreezeTime: -1, Weighted: true, GlobalWeight: 3, RenewWeight: 2, LocalWeight: 1},
		Now:    func() int64 { return now },
		Chance: never,
	}
	g := NewGate(o)
	if !g.Handshake(true) || g.TokenDeficit() != 2 || g.Handshake(false) || g.DropChance() != 0 {
		t.Errorf("deficit %d after a renewal and a refused session", g.TokenDeficit())
	}
	o.LocalSessions = true
	if g = NewGate(o); !g.Handshake(false) || g.TokenDeficit() != 1 {
		t.Errorf("deficit %d after a local session", g.TokenDeficit())
	}
}
