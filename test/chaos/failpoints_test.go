package chaos

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/failpoint"
	"github.com/quollhq/quoll/test/harness"
)

// TestFailpoints has three members crash, stand still and fail at all failpoints, a few at a time, while clients work and
// what leads there happens. All of them must be reached, and the history must be right.
func TestFailpoints(t *testing.T) {
	needNamespaces(t)
	t.Parallel()
	r := seeded(t, 0)
	c := newCluster(t, 7, 3)
	underLoad(t, c, r, func(load *workload) error {
		p := &provoker{nemesis: &nemesis{c}, load: load, r: rand.New(rand.NewPCG(r.Uint64(), 2)), began: time.Now()}
		for first := true; first || time.Since(p.began) < *longFlag; first = false {
			if err := p.round(); err != nil {
				return err
			}
		}
		return p.reachAll()
	})
}

// provoker arms failpoints and does what leads there.
type provoker struct {
	*nemesis
	load *workload
	r    *rand.Rand
	step int

	began     time.Time
	corrupted bool // a member's state
}

// provocations are what leads to places that load alone does not reach. Each is done with some members armed.
var provocations = []struct {
	name string
	do   func(p *provoker, m *member) error
	// careful tells that no other member may end meanwhile: m has lost what it had acknowledged.
	careful bool
}{
	{"restart the leader", func(p *provoker, _ *member) error {
		m := p.c.leader()
		if m == nil {
			return nil
		}
		return p.bounce(m, syscall.SIGTERM, 0)
	}, false},
	{"kill", func(p *provoker, m *member) error { return p.bounce(m, syscall.SIGKILL, 100*time.Millisecond) }, false},
	{"isolate the leader", func(p *provoker, _ *member) error {
		return p.isolate(&fault{victims: []int{0, 1}, holds: 1300 * time.Millisecond})
	}, false},
	{"fall behind", func(p *provoker, m *member) error {
		if err := m.end(syscall.SIGKILL); err != nil {
			return err
		}
		p.burst(1100, 0) // more than a leader keeps in memory
		return m.start()
	}, false},
	{"fill logs", func(p *provoker, m *member) error {
		p.burst(1300, 1024) // several snapshots, of which a start removes the oldest
		return p.bounce(m, syscall.SIGKILL, 0)
	}, false},
	{"lose a disk", (*provoker).loseDisk, true},
}

// round arms all failpoints once.
func (p *provoker) round() error {
	points := failpoint.Points()
	p.r.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	for points := range slices.Chunk(points, len(p.c.members)) {
		how := provocations[p.step%len(provocations)]
		victim := p.c.members[p.r.IntN(len(p.c.members))]
		rules := map[*member]string{}
		others := slices.DeleteFunc(slices.Clone(p.c.members), func(m *member) bool { return m == victim })
		for i, d := range points {
			m := append([]*member{victim}, others...)[i]
			rules[m] = p.rule(&d, how.careful && m != victim)
		}
		var told []string
		for _, m := range p.c.members {
			told = append(told, fmt.Sprintf("%d: %s", m.id, rules[m]))
		}
		if err := p.provoke(how.do, victim, rules); err != nil {
			return fmt.Errorf("%s of %d with %v: %w", how.name, victim.id, told, err)
		}
		p.c.t.Logf("%6.1f s: %s %d with %s", time.Since(p.began).Seconds(), how.name, victim.id, strings.Join(told, ", "))
	}
	return nil
}

// rule draws what a failpoint does. One that must not end its member only stalls.
func (p *provoker) rule(d *failpoint.Description, lives bool) string {
	actions := []string{"crash,1x", fmt.Sprintf("stall(%dms),2x", 50+p.r.IntN(400)), fmt.Sprintf("stall(%dms),20%%", 1+p.r.IntN(20))}
	if d.Fails {
		actions = append(actions, "fail,1x", "fail,10%")
	}
	action := actions[p.r.IntN(len(actions))]
	switch {
	case d.Point == failpoint.Corrupt && !p.corrupted:
		action, p.corrupted = "fail,1x", true
	case d.Point == failpoint.Corrupt: // a member believes in its state for a minute after it has taken another
		action = actions[1]
	case d.Point == failpoint.Clock:
		action = fmt.Sprintf("shift(%v)", time.Duration(p.r.IntN(200)-100)*time.Hour)
	case lives:
		action = actions[1]
	}
	return fmt.Sprintf("%s=%s", d.Point, action)
}

// provoke does something with members armed, and waits until all serve again.
func (p *provoker) provoke(do func(*provoker, *member) error, victim *member, rules map[*member]string) error {
	p.step++
	p.load.generation.Add(1)
	p.load.abandon(p.c, p.r)
	for m, rule := range rules {
		if err := m.arm(rule); err != nil {
			return err
		}
	}
	if err := do(p, victim); err != nil {
		return err
	}
	time.Sleep(250 * time.Millisecond) // of the load under it
	if err := p.disarm(p.c.members); err != nil {
		return err
	}
	p.c.allServe()
	return nil
}

// until waits until something is so, for a time at most.
func (p *provoker) until(ok func() bool, most time.Duration) bool {
	for waits := harness.NewPatience(most, time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if waits.Spent() {
			return false
		}
	}
	return true
}

// bounce ends a member and starts it again, still armed.
func (p *provoker) bounce(m *member, sig syscall.Signal, away time.Duration) error {
	if err := m.end(sig); err != nil {
		return err
	}
	time.Sleep(away)
	return m.start()
}

// loseDisk starts a member without what it had. It waits until the others have all that the member may have acknowledged, and
// then until the member has it again.
func (p *provoker) loseDisk(m *member) error {
	if err := m.end(syscall.SIGKILL); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(m.disk(), "version-2"))
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(slices.Clone(p.c.members), func(o *member) bool { return o == m })
	for _, o := range others {
		if err := p.catchUp(o); err != nil {
			return err
		}
	}
	for _, f := range files {
		if err := os.RemoveAll(f); err != nil {
			return err
		}
	}
	if err := m.start(); err != nil {
		return err
	}
	again := p.until(func() bool { return m.ended() || m.serves() == nil }, 2*time.Second)
	if err := m.arm(""); err != nil {
		return err
	}
	if err := m.revive(); err != nil || again && !m.ended() {
		return err
	}
	back := func() bool {
		if m.ended() && m.mayExit { // by what it was told a moment before
			p.c.must(m.start())
		}
		return m.serves() == nil
	}
	if !p.until(back, patience) {
		return fmt.Errorf("member %d does not come back after it has lost its disk", m.id)
	}
	return nil
}

// burst makes n writes of so many bytes, unless there is no leader for too long.
func (p *provoker) burst(n int64, size int) {
	const clients = 16
	ctx, cancel := context.WithTimeout(p.c.t.Context(), 5*time.Second)
	defer cancel()
	c, err := client.New(strings.Join(p.c.addrs(), ","), client.WithSessionTimeout(4*time.Second))
	if err != nil {
		p.c.t.Fatal(err)
	}
	data := make([]byte, size)
	var done atomic.Int64
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			for ctx.Err() == nil && done.Load() < n {
				if _, err := c.Set(ctx, "/burst", data, client.AnyVersion); err == nil {
					done.Add(1)
				}
			}
		})
	}
	group.Wait()
	_ = c.Detach()
}

// catchUp waits until a member has all that was committed.
func (p *provoker) catchUp(m *member) error {
	c, err := client.New(m.addr(), client.WithSessionTimeout(4*time.Second))
	if err != nil {
		return err
	}
	defer c.Detach()
	for waits := harness.NewPatience(patience, time.Second); ; {
		if err = c.Sync(p.c.t.Context(), "/"); err == nil || waits.Spent() {
			return err
		}
	}
}

// reached are the failpoints that any member has come to.
func (p *provoker) reached() (map[failpoint.Point]bool, error) {
	reached := map[failpoint.Point]bool{}
	for _, m := range p.c.members {
		b, err := os.ReadFile(m.reachedPath())
		if err != nil {
			return nil, err
		}
		for name := range strings.FieldsSeq(string(b)) {
			reached[failpoint.Point(name)] = true
		}
	}
	return reached, nil
}

// reachAll goes on, with nothing armed, until all failpoints were reached.
func (p *provoker) reachAll() error {
	for waits := harness.NewPatience(patience, 10*time.Second); ; {
		reached, err := p.reached()
		if err != nil {
			return err
		}
		missing := map[failpoint.Point]bool{}
		for _, d := range failpoint.Points() {
			if !reached[d.Point] {
				missing[d.Point] = true
			}
		}
		if len(missing) == 0 {
			return nil
		}
		if waits.Spent() {
			return fmt.Errorf("never reached: %v", slices.Sorted(maps.Keys(missing)))
		}
		how := provocations[p.step%len(provocations)]
		p.c.t.Logf("%6.1f s: %s, to reach %v", time.Since(p.began).Seconds(), how.name, slices.Sorted(maps.Keys(missing)))
		if err := p.provoke(how.do, p.c.members[p.step%len(p.c.members)], nil); err != nil {
			return err
		}
	}
}
