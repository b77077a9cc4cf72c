package balance

import (
	"errors"
	"fmt"
	"math"
	mathrand "math/rand"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/quick"
	"time"
)

// clock is a time that stands still unless a test moves it.
type clock struct{ at time.Time }

func newClock() *clock                       { return &clock{time.Unix(1700000000, 0)} }
func (c *clock) now() time.Time              { return c.at }
func (c *clock) advance(d time.Duration)     { c.at = c.at.Add(d) }
func seeded() Option                         { return WithRand(rand.NewPCG(1, 2)) }
func (c *clock) option() Option              { return WithClock(c.now) }
func endpoints(weights ...int) []Endpoint    { return inZone("", weights...) }
func key(i int) string                       { return fmt.Sprint("key", i) }
func part(n int, total int) float64          { return float64(n) / float64(total) }
func near(got, want, tolerance float64) bool { return math.Abs(got-want) <= tolerance }

// inZone makes endpoints a, b, c... with these weights.
func inZone(zone string, weights ...int) []Endpoint {
	var list []Endpoint
	for i, w := range weights {
		id := zone + string(rune('a'+i))
		list = append(list, Endpoint{ID: id, Address: id + ":1", Weight: w, Zone: zone})
	}
	return list
}

func pick(t testing.TB, b *Balancer, key string, tried ...string) *Pick {
	t.Helper()
	p, err := b.Pick(key, tried...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// count picks n times, for different keys, each call ending at once.
func count(t testing.TB, b *Balancer, n int) map[string]int {
	t.Helper()
	counts := make(map[string]int)
	for i := range n {
		p := pick(t, b, key(i))
		counts[p.ID]++
		p.Done(nil)
	}
	return counts
}

// policies makes one of each.
func policies() map[string]func() Policy {
	return map[string]func() Policy{
		"round robin": RoundRobin, "weighted": Weighted, "random": Random, "sticky": Sticky,
		"least request": func() Policy { return LeastRequest(2) }, "peak EWMA": PeakEWMA,
		"ring": Ring, "rendezvous": Rendezvous, "maglev": Maglev,
		"bounded": func() Policy { return Bounded(Ring(), 1.25) },
		"zone":    func() Policy { return ZoneFirst("z", LeastRequest(2), Random()) },
	}
}

// Every policy has nothing to pick from nothing, picks the only one, forgets
// those that are gone, and is raced against itself.
func TestEveryPolicy(t *testing.T) {
	for name, policy := range policies() {
		t.Run(name, func(t *testing.T) {
			b := New(policy(), WithOutlier(Outlier{}), WithSlowStart(SlowStart{Window: time.Minute}))
			if _, err := b.Pick(""); !errors.Is(err, ErrNone) {
				t.Fatalf("error %v", err)
			}
			b.Update(endpoints(1))
			if p := pick(t, b, "", "a"); p.ID != "a" || p.Address != "a:1" {
				t.Errorf("picked %+v", p)
			}
			b.Update(endpoints(1, 2, 0)[1:])
			for i := range 100 {
				if p := pick(t, b, key(i), "b"); p.ID != "c" {
					t.Fatalf("picked %+v", p)
				}
			}
			b.Update(nil)
			if _, err := b.Pick("x"); !errors.Is(err, ErrNone) {
				t.Errorf("error %v", err)
			}
			var running sync.WaitGroup
			for g := range 4 {
				running.Go(func() {
					for i := range 200 {
						if g == 0 && i%10 == 0 {
							b.Update(endpoints(1, 2, 3, 4)[i/10%3:])
						}
						if p, err := b.Pick(key(i)); err == nil {
							p.Done(errors.New("always"))
							p.Done(nil)
						}
					}
				})
			}
			running.Wait()
			for _, s := range b.Status() {
				if s.InFlight != 0 {
					t.Errorf("%+v", s)
				}
			}
		})
	}
}

func TestRoundRobin(t *testing.T) {
	b := New(RoundRobin())
	b.Update(endpoints(1, 9, 1))
	if got := count(t, b, 300); got["a"] != 100 || got["b"] != 100 || got["c"] != 100 {
		t.Errorf("%v", got)
	}
}

// Nginx's example: the heavy one is spread.
func TestWeightedIsSmooth(t *testing.T) {
	b := New(Weighted())
	b.Update(endpoints(5, 1, 1))
	var order strings.Builder
	for range 14 {
		order.WriteString(pick(t, b, "").ID)
	}
	if got := order.String(); got != "aabacaaaabacaa" {
		t.Error(got)
	}
}

// In each cycle every target has exactly its weight's share.
func TestWeightedShares(t *testing.T) {
	check := func(w [5]uint8) bool {
		weights, total := make([]int, len(w)), 0
		for i := range w {
			weights[i] = int(w[i]%20) + 1
			total += weights[i]
		}
		b := New(Weighted())
		b.Update(endpoints(weights...))
		got := count(t, b, total)
		for i, e := range endpoints(weights...) {
			if got[e.ID] != weights[i] {
				return false
			}
		}
		return true
	}
	if err := quick.Check(check, &quick.Config{Rand: rand1()}); err != nil {
		t.Error(err)
	}
}

// Without load, those that draw give each its share by weight.
func TestSharesByWeight(t *testing.T) {
	const calls = 20000
	for _, name := range []string{"random", "least request", "ring", "rendezvous", "maglev"} {
		t.Run(name, func(t *testing.T) {
			b := New(policies()[name](), seeded())
			b.Update(endpoints(1, 2, 3, 4))
			got := count(t, b, calls)
			for i, id := range []string{"a", "b", "c", "d"} {
				if want := part(i+1, 10); !near(part(got[id], calls), want, want*0.15) {
					t.Errorf("%s has %d of %d calls, want about %.1f", id, got[id], calls, want)
				}
			}
		})
	}
}

func TestSticky(t *testing.T) {
	b := New(Sticky(), seeded())
	b.Update(endpoints(1, 1, 1))
	first := pick(t, b, "").ID
	for i := range 50 {
		if got := pick(t, b, key(i)).ID; got != first {
			t.Fatalf("%s, then %s", first, got)
		}
	}
	var rest []Endpoint
	for _, e := range endpoints(1, 1, 1) {
		if e.ID != first {
			rest = append(rest, e)
		}
	}
	b.Update(rest)
	second := pick(t, b, "").ID
	b.Update(endpoints(1, 1, 1))
	if got := pick(t, b, "").ID; second == first || got != second {
		t.Errorf("%s, then %s, then %s", first, second, got)
	}
}

// Two choices keep the fullest close to the mean; that is what they are for.
func TestLeastRequest(t *testing.T) {
	const hosts, calls = 20, 2000
	fullest := func(p Policy) int {
		b := New(p, seeded())
		b.Update(endpoints(make([]int, hosts)...))
		for range calls {
			pick(t, b, "")
		}
		most := 0
		for _, s := range b.Status() {
			most = max(most, s.InFlight)
		}
		return most
	}
	if two := fullest(LeastRequest(2)); two > calls/hosts+3 {
		t.Errorf("the fullest of %d has %d of %d calls", hosts, two, calls)
	}
	if one := fullest(LeastRequest(1)); one <= calls/hosts+3 {
		t.Errorf("the fullest of %d has %d of %d calls without a choice", hosts, one, calls)
	}
}

// The slow one gets few calls, and as many as the others again after it has
// recovered.
func TestPeakEWMA(t *testing.T) {
	clock := newClock()
	b := New(PeakEWMA(), seeded(), clock.option())
	b.Update(endpoints(1, 1, 1))
	run := func(n int, slow time.Duration) map[string]int {
		counts := make(map[string]int)
		for range n {
			p := pick(t, b, "")
			counts[p.ID]++
			took := 10 * time.Millisecond
			if p.ID == "a" {
				took = slow
			}
			clock.advance(took)
			p.Done(nil)
		}
		return counts
	}
	run(10, 500*time.Millisecond)
	if got := run(300, 500*time.Millisecond); got["a"] > 50 {
		t.Errorf("while it is slow: %v", got)
	}
	clock.advance(5 * time.Minute)
	run(300, 10*time.Millisecond)
	if got := run(3000, 10*time.Millisecond); got["a"] < 500 {
		t.Errorf("after it has recovered: %v", got)
	}
}

// Failing fast must not attract calls.
func TestPeakEWMAFailures(t *testing.T) {
	clock := newClock()
	b := New(PeakEWMA(), seeded(), clock.option())
	b.Update(endpoints(1, 1))
	got := make(map[string]int)
	for range 1000 {
		p := pick(t, b, "")
		got[p.ID]++
		if p.ID == "a" && got["a"] > 1 {
			p.Done(errors.New("refused"))
			continue
		}
		clock.advance(10 * time.Millisecond)
		p.Done(nil)
	}
	if got["a"] > 700 {
		t.Errorf("%v", got)
	}
}

// Nor must it when an endpoint has never done anything else.
func TestPeakEWMAFailuresFromTheStart(t *testing.T) {
	clock := newClock()
	b := New(PeakEWMA(), seeded(), clock.option())
	b.Update(endpoints(1, 1))
	got := make(map[string]int)
	for range 1000 {
		p := pick(t, b, "")
		got[p.ID]++
		if p.ID == "a" {
			clock.advance(50 * time.Microsecond)
			p.Done(errors.New("refused"))
			continue
		}
		clock.advance(10 * time.Millisecond)
		p.Done(nil)
	}
	if got["a"] > 300 { // when both of the two that are drawn are a, there is no other
		t.Errorf("%v", got)
	}
}

func assign(t testing.TB, b *Balancer, keys int) []string {
	t.Helper()
	ids := make([]string, keys)
	for i := range ids {
		p := pick(t, b, key(i))
		ids[i] = p.ID
		p.Done(nil)
	}
	return ids
}

// When an endpoint goes only its keys move, and when it comes back they are its
// own again: exactly so on a ring and by rendezvous, nearly so with Maglev.
func TestMinimalDisruption(t *testing.T) {
	const keys = 5000
	for name, most := range map[string]float64{"ring": 0, "rendezvous": 0, "maglev": 0.05} {
		t.Run(name, func(t *testing.T) {
			b := New(policies()[name](), seeded())
			all := endpoints(1, 2, 3, 1, 2, 3, 1, 2)
			b.Update(all)
			before := assign(t, b, keys)
			for gone := range all {
				rest := append(append([]Endpoint{}, all[:gone]...), all[gone+1:]...)
				b.Update(rest)
				moved := 0
				for i, id := range assign(t, b, keys) {
					switch {
					case id == all[gone].ID:
						t.Fatalf("%s is gone and has key %d", id, i)
					case id != before[i] && before[i] != all[gone].ID:
						moved++
					}
				}
				if part(moved, keys) > most {
					t.Errorf("without %s: %d of %d keys of others moved", all[gone].ID, moved, keys)
				}
			}
			b.Update(all)
			for i, id := range assign(t, b, keys) {
				if id != before[i] {
					t.Fatalf("key %d is %s's and was %s's", i, id, before[i])
				}
			}
		})
	}
}

// A key of nobody's goes anywhere.
func TestNoKey(t *testing.T) {
	for _, policy := range []Policy{Ring(), Rendezvous(), Maglev()} {
		b := New(policy, seeded())
		b.Update(endpoints(1, 1, 1))
		got := make(map[string]bool)
		for range 100 {
			got[pick(t, b, "").ID] = true
		}
		if len(got) != 3 {
			t.Errorf("%T: %v", policy, got)
		}
	}
}

// No target has more than the bound, even if all calls have one key, and a key
// without pressure stays where it belongs.
func TestBounded(t *testing.T) {
	for _, inner := range []func() Policy{Ring, Rendezvous, Maglev} {
		b, plain := New(Bounded(inner(), 1.25), seeded()), New(inner(), seeded())
		b.Update(endpoints(1, 1, 1, 1, 1))
		plain.Update(endpoints(1, 1, 1, 1, 1))
		for i, id := range assign(t, plain, 100) {
			p := pick(t, b, key(i))
			if p.ID != id {
				t.Errorf("key %d: %s, want %s", i, p.ID, id)
			}
			p.Done(nil)
		}
		for calls := 1; calls <= 500; calls++ {
			pick(t, b, "one key")
			for _, s := range b.Status() {
				if bound := math.Ceil(1.25 * float64(calls) / 5); float64(s.InFlight) > bound {
					t.Fatalf("%s has %d of %d calls, more than %v", s.ID, s.InFlight, calls, bound)
				}
			}
		}
	}
}

func TestZoneFirst(t *testing.T) {
	own, others := inZone("z", 1, 1, 1, 1), inZone("y", 1, 1)
	clock := newClock()
	b := New(ZoneFirst("z", RoundRobin(), RoundRobin()), seeded(), clock.option(), WithOutlier(Outlier{MaxEjected: 1, PanicThreshold: 0.01}))
	b.Update(append(own, others...))
	inside := func() float64 {
		n := 0
		for range 4000 {
			p := pick(t, b, "")
			if p.Zone == "z" {
				n++
			}
			p.Done(nil)
		}
		return part(n, 4000)
	}
	if got := inside(); got != 1 {
		t.Errorf("all are up: %v stay", got)
	}
	for _, want := range []float64{1, 0.7, 0.35, 0} { // 3, 2, 1, 0 of 4 up
		ejectOne(t, b, "z")
		if got := inside(); !near(got, want, 0.05) {
			t.Errorf("%v stay, want %v", got, want)
		}
	}
	b.Update(others)
	if got := inside(); got != 0 {
		t.Errorf("%v", got)
	}
	b.Update(own)
}

// ejectOne lets the endpoint of a zone fail that is picked first.
func ejectOne(t testing.TB, b *Balancer, zone string) {
	t.Helper()
	for _, s := range b.Status() {
		if s.Zone == zone && !s.Ejected {
			fail(t, b, s.ID, 5)
			return
		}
	}
	t.Fatal("none is left")
}

// fail lets n calls to one endpoint fail in a row.
func fail(t testing.TB, b *Balancer, id string, n int) {
	t.Helper()
	b.mu.RLock()
	var target *Target
	for _, one := range b.all {
		if one.ID == id {
			target = one
		}
	}
	b.mu.RUnlock()
	for range n {
		target.inFlight.Add(1)
		(&Pick{Endpoint: target.Endpoint, t: target, began: b.now()}).Done(errors.New("failed"))
	}
}

func TestSlowStart(t *testing.T) {
	clock := newClock()
	b := New(Random(), seeded(), clock.option(), WithSlowStart(SlowStart{Window: 100 * time.Second}))
	b.Update(endpoints(1))
	clock.advance(time.Hour)
	b.Update(endpoints(1, 1))
	for _, step := range []struct {
		age  time.Duration
		want float64
	}{{0, 0.1 / 1.1}, {20 * time.Second, 0.2 / 1.2}, {30 * time.Second, 0.5 / 1.5}, {50 * time.Second, 0.5}} {
		clock.advance(step.age)
		if got := part(count(t, b, 10000)["b"], 10000); !near(got, step.want, 0.03) {
			t.Errorf("%v later: %v, want %v", step.age, got, step.want)
		}
	}
}

func ejected(b *Balancer) (ids []string) {
	for _, s := range b.Status() {
		if s.Ejected {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

func wantEjected(t *testing.T, b *Balancer, want ...string) {
	t.Helper()
	if got := ejected(b); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("ejected are %v, want %v", got, want)
	}
}

func TestConsecutiveFailures(t *testing.T) {
	clock := newClock()
	b := New(RoundRobin(), seeded(), clock.option(), WithOutlier(Outlier{}))
	b.Update(endpoints(make([]int, 10)...))
	fail(t, b, "a", 4)
	pickUntil(t, b, "a").Done(nil)
	fail(t, b, "a", 4)
	wantEjected(t, b)
	fail(t, b, "a", 1)
	wantEjected(t, b, "a")
	for i := range 100 {
		if p := pick(t, b, key(i)); p.ID == "a" {
			t.Fatal("picked one that is ejected")
		}
	}
	fail(t, b, "b", 5) // no more than a tenth
	wantEjected(t, b, "a")
	clock.advance(29 * time.Second)
	pick(t, b, "")
	wantEjected(t, b, "a")
	clock.advance(11 * time.Second) // a sweep after 30 s
	pick(t, b, "")
	wantEjected(t, b)
	fail(t, b, "a", 5) // the second time: 60 s
	clock.advance(59 * time.Second)
	pick(t, b, "")
	wantEjected(t, b, "a")
	clock.advance(10 * time.Second)
	pick(t, b, "")
	wantEjected(t, b)
}

func pickUntil(t testing.TB, b *Balancer, id string) *Pick {
	t.Helper()
	for {
		if p := pick(t, b, ""); p.ID == id {
			return p
		}
	}
}

func TestSuccessRate(t *testing.T) {
	clock := newClock()
	b := New(RoundRobin(), clock.option(), WithOutlier(Outlier{ConsecutiveFailures: 1 << 30}))
	b.Update(endpoints(make([]int, 10)...))
	for i := range 2000 { // all of f's calls fail every other time
		p := pick(t, b, "")
		if p.ID == "f" && i%20 < 10 {
			p.Done(errors.New("failed"))
		} else {
			p.Done(nil)
		}
	}
	wantEjected(t, b)
	clock.advance(10 * time.Second)
	pick(t, b, "")
	wantEjected(t, b, "f")
}

// One may always be ejected, and if that leaves none, or too few, all are called.
func TestPanic(t *testing.T) {
	b := New(RoundRobin(), newClock().option(), WithOutlier(Outlier{MaxEjected: 1}))
	b.Update(endpoints(1))
	fail(t, b, "a", 5)
	wantEjected(t, b, "a")
	pick(t, b, "")
	b.Update(endpoints(1, 1, 1))
	if got := count(t, b, 30); got["a"] != 0 {
		t.Errorf("%v", got)
	}
	fail(t, b, "b", 5)
	wantEjected(t, b, "a", "b")
	if got := count(t, b, 30); got["a"] != 10 || got["b"] != 10 {
		t.Errorf("%v", got)
	}
}

// rand1 is the source for testing/quick, with a seed of its own.
func rand1() *mathrand.Rand { return mathrand.New(mathrand.NewSource(1)) }
