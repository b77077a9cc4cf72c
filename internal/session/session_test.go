package session

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
)

// due gives the numbers of the sessions that have expired, in order.
func due(t *Tracker, now int64) (ids []int64) {
	t.Due(now, func(s *Session) { ids = append(ids, s.ID()) })
	return ids
}

func TestExpiresAtEndOfInterval(t *testing.T) {
	tr := NewTracker(2000, 500)
	s, added := tr.Track(7, 4000, 500)
	if !added || s.ID() != 7 || s.Timeout() != 4000 || s.String() != "0x7" {
		t.Fatalf("new session: %v, %v", s, added)
	}
	tr.Touch(s, 4000, 1999) // 5999: still the interval that ends at 6000
	if got := due(tr, 5999); got != nil {
		t.Fatalf("expired early: %v", got)
	}
	if got := due(tr, 6000); len(got) != 1 || !s.Closing() {
		t.Fatalf("expired %v, closing %v", got, s.Closing())
	}
	if tr.Touch(s, 4000, 6000) {
		t.Error("touched a session that has expired")
	}
	if tr.Get(7) != s || !tr.Remove(7) || tr.Remove(7) || tr.Get(7) != nil || tr.Len() != 0 {
		t.Error("a session that has expired is there until it is removed")
	}
}

func TestShorterTimeoutCounts(t *testing.T) {
	tr := NewTracker(1000, 0)
	s, _ := tr.Track(1, 30_000, 0)
	tr.Touch(s, 2000, 500)
	if got := due(tr, 3000); !slices.Equal(got, []int64{1}) {
		t.Fatalf("expired %v after a reconnect with a shorter time-out", got)
	}
}

// TestClockOfTouchLags touches with a time before that at which buckets were
// looked at last: the session must not be lost in a bucket of the past.
func TestClockOfTouchLags(t *testing.T) {
	tr := NewTracker(1000, 0)
	s, _ := tr.Track(1, 50_000, 0)
	due(tr, 20_000)
	tr.Touch(s, 1000, 10_000)
	if got := due(tr, 21_000); !slices.Equal(got, []int64{1}) {
		t.Fatalf("expired %v", got)
	}
}

func TestOwner(t *testing.T) {
	tr := NewTracker(1000, 0)
	s, _ := tr.Track(1, 4000, 0)
	steps := []struct {
		what string
		got  proto.Code
		want proto.Code
	}{
		{"first to ask", s.Check(5), proto.OK},
		{"owner", s.Check(5), proto.OK},
		{"another", s.Check(6), proto.SessionMoved},
		{"moving", s.SetOwner(6), proto.OK},
		{"new owner", s.Check(6), proto.OK},
		{"old owner", s.Check(5), proto.SessionMoved},
	}
	for _, st := range steps {
		if st.got != st.want {
			t.Errorf("%s: %v, want %v", st.what, st.got, st.want)
		}
	}
	tr.SetClosing(1)
	if s.Check(6) != proto.SessionExpired || s.SetOwner(7) != proto.SessionExpired {
		t.Error("a closing session has an owner")
	}
}

func TestCommittedAreForSnapshots(t *testing.T) {
	tr := NewTracker(1000, 0)
	tr.Track(3, 4000, 0)
	tr.Track(1, 4000, 0)
	tr.Commit(3, 6000, 0)
	tr.Commit(2, 8000, 0) // from a snapshot
	want := []Record{{9, 9}, {2, 8000}, {3, 6000}}
	if got := tr.AppendCommitted([]Record{{9, 9}}); !slices.Equal(got, want) {
		t.Errorf("committed %v, want %v", got, want)
	}
	if tr.Get(3).Timeout() != 6000 || tr.Get(2) == nil || tr.Len() != 3 {
		t.Error("committing did not take")
	}
	exp := tr.Expiries()
	if len(exp) != 2 || exp[0].At != 5000 || !slices.Equal(exp[0].IDs, []int64{1, 3}) || exp[1].At != 9000 {
		t.Errorf("expiries %v", exp)
	}
}

// pair is a Tracker and the model that it must agree with.
type pair struct {
	t   *testing.T
	tr  *Tracker
	mod *model
	now int64
	log []string
}

func newPair(t *testing.T, tick int32, now int64) *pair {
	return &pair{t: t, tr: NewTracker(tick, now), mod: newModel(int64(tick), now), now: now}
}

// step does to both what three numbers say.
func (p *pair) step(op, a, b uint) {
	id := int64(a % 12)
	timeout := int32(b%40) * 100
	switch op % 8 {
	case 0:
		s, added := p.tr.Track(id, timeout, p.now)
		p.equal(fmt.Sprintf("track %d %d", id, timeout), added, p.mod.track(id, timeout, p.now))
		if s != p.tr.Get(id) {
			p.t.Fatal("track and get disagree")
		}
	case 1:
		p.tr.SetClosing(id)
		p.mod.setClosing(id)
	case 2:
		p.equal(fmt.Sprintf("remove %d", id), p.tr.Remove(id), p.mod.remove(id))
	case 3:
		p.now += int64(b%64) * int64(a%64) / 2
		got, want := due(p.tr, p.now), p.mod.due(p.now)
		p.equal(fmt.Sprintf("due at %d", p.now), fmt.Sprint(got), fmt.Sprint(want))
	case 4:
		p.now += int64(b % 256)
	default:
		s := p.tr.Get(id)
		got := s != nil && p.tr.Touch(s, timeout, p.now)
		p.equal(fmt.Sprintf("touch %d %d", id, timeout), got, p.mod.touch(id, timeout, p.now))
	}
	p.compare()
}

func (p *pair) compare() {
	p.equal("number of sessions", p.tr.Len(), len(p.mod.closing))
	queued := 0
	for _, e := range p.tr.Expiries() {
		queued += len(e.IDs)
		for _, id := range e.IDs {
			p.equal(fmt.Sprintf("expiry of %d", id), e.At, p.mod.expiry[id])
		}
	}
	p.equal("queued sessions", queued, len(p.mod.expiry))
	if next := p.tr.NextDue(); next > p.now+p.mod.tick || next < p.mod.next {
		p.t.Fatalf("next due is %d at %d, model %d", next, p.now, p.mod.next)
	}
}

func (p *pair) equal(what string, got, want any) {
	p.t.Helper()
	p.log = append(p.log, fmt.Sprintf("%d %s: %v", p.now, what, want))
	if got != want {
		p.t.Fatalf("%s: %v, model %v, after %q", what, got, want, p.log[max(0, len(p.log)-60):])
	}
}

func TestAgreesWithModel(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 3))
		p := newPair(t, 100+int32(seed)*37, int64(rng.IntN(10_000)))
		for range 2000 {
			p.step(rng.Uint()>>8, rng.Uint()>>8, rng.Uint()>>8)
		}
	}
}

func FuzzAgreesWithModel(f *testing.F) {
	f.Add([]byte{0, 1, 20, 5, 1, 3, 3, 60, 60, 2, 1, 0})
	f.Add([]byte{0, 1, 39, 3, 20, 20, 5, 1, 2, 4, 0, 200, 5, 1, 30, 3, 60, 60, 3, 60, 60})
	f.Fuzz(func(t *testing.T, b []byte) {
		p := newPair(t, 200, 77)
		for ; len(b) >= 3; b = b[3:] {
			p.step(uint(b[0]), uint(b[1]), uint(b[2]))
		}
	})
}

// TestTouchedSessionsLive touches sessions from several goroutines, with
// time-outs that become longer and shorter, while buckets fall due. None may
// expire, and once nobody touches them all must. Time goes on when every
// goroutine has touched every session, and none of them runs ahead.
func TestTouchedSessionsLive(t *testing.T) {
	const (
		sessions, touchers = 100, 3
		passes             = 150
		tick               = 10
	)
	tr := NewTracker(tick, 0)
	var clock atomic.Int64
	var done [touchers]atomic.Int64 // passes
	var all []*Session
	for i := range int64(sessions) {
		s, _ := tr.Track(i, 10*tick, 0)
		all = append(all, s)
	}
	var wg sync.WaitGroup
	for g := range touchers {
		wg.Go(func() {
			defer done[g].Store(passes)
			for r := range passes {
				for clock.Load() < int64(r/2-1)*tick {
					runtime.Gosched()
				}
				for i, s := range all {
					if !tr.Touch(s, int32(5+(r+i+g)%7)*tick, clock.Load()) {
						t.Errorf("session %v has expired at %d, although it is touched", s, clock.Load())
						return
					}
				}
				done[g].Add(1)
			}
		})
	}
	for pass := int64(2); pass <= passes; pass += 2 {
		for g := range done {
			for done[g].Load() < pass {
				runtime.Gosched()
			}
		}
		if t.Failed() {
			clock.Store(1 << 40) // nobody has to wait any more
			break
		}
		tr.Due(clock.Add(tick), func(s *Session) {
			t.Errorf("session %v expired at %d, its deadline is %d", s, clock.Load(), s.Deadline())
		})
	}
	wg.Wait()
	tr.Due(clock.Load()+20*tick, func(*Session) {})
	for _, s := range all {
		if !s.Closing() {
			t.Fatalf("session %v with deadline %d, queued at %d, never expired", s, s.Deadline(), s.queued.Load())
		}
	}
}

func TestMemoryPerSession(t *testing.T) {
	const sessions = 10_000
	heap := func() uint64 {
		var s runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	before := heap()
	tr := NewTracker(2000, 0)
	for i := range int64(sessions) {
		tr.Track(1<<56+i, 30_000, i)
	}
	per := float64(heap()-before) / sessions
	runtime.KeepAlive(tr)
	t.Logf("%.0f bytes per session", per)
	if per > 300 {
		t.Errorf("%.0f bytes per idle session", per)
	}
}

func BenchmarkTouch(b *testing.B) {
	tr := NewTracker(2000, 0)
	b.RunParallel(func(pb *testing.PB) {
		s, _ := tr.Track(rand.Int64(), 30_000, 0)
		for now := int64(0); pb.Next(); now++ {
			tr.Touch(s, 30_000, now>>10)
		}
	})
}

func BenchmarkDue(b *testing.B) {
	tr := NewTracker(2000, 0)
	var all []*Session
	for i := range int64(10_000) {
		s, _ := tr.Track(i, 30_000, 0)
		all = append(all, s)
	}
	now := int64(0)
	for b.Loop() { // a tick, in which every session is heard of
		now += 2000
		for _, s := range all {
			tr.Touch(s, 30_000, now)
		}
		tr.Due(now, func(*Session) { b.Fatal("expired") })
	}
}
