package watch

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
)

// pair is a Manager and the model that it must agree with.
type pair struct {
	t   *testing.T
	m   *Manager
	mod *model
	ids []ID
	log []string
}

func newPair(t *testing.T) *pair { return &pair{t: t, m: poisoned(t), mod: newModel()} }

// paths are few, so that events meet watches; some are of odd lengths.
var paths = []string{
	"/", "/a", "/b", "/a/b", "/a/b/c", "/a/c", "/ab", "/a/b/c/d/e/f",
	"/long/" + strings.Repeat("x", 5000), strings.Repeat("/deep", 80),
	"", "odd", "/odd/",
}

// fired are the paths that the tree can have events for.
const fired = 10

var types = []proto.WatcherType{
	proto.WatcherChildren, proto.WatcherData, proto.WatcherAny,
	proto.WatcherPersistent, proto.WatcherPersistentRecursive, 0,
}

var events = []proto.EventType{
	proto.EventNodeCreated, proto.EventNodeDeleted,
	proto.EventNodeDataChanged, proto.EventNodeChildrenChanged,
}

// step does to both what three numbers say.
func (p *pair) step(op, a, b uint) {
	if len(p.ids) == 0 || op%16 == 0 && len(p.ids) < 400 {
		p.attach(1 + int(a*b)%90)
		return
	}
	id := p.ids[a%uint(len(p.ids))]
	path := paths[b%uint(len(paths))]
	switch op % 16 {
	case 1:
		if a%8 == 0 {
			p.detach(a)
		}
	case 2, 3, 4:
		p.remove(id, path, types[op/16%uint(len(types))])
	case 5, 6:
		p.contains(id, path, types[op/16%uint(len(types))])
	case 7, 8, 9:
		p.fire(paths[b%fired], events[a%uint(len(events))])
	case 10:
		for i := a % uint(len(p.ids)); i < uint(len(p.ids)); i++ {
			p.add(p.ids[i], path, Kind(op/16%4))
		}
	case 11:
		for i := a % uint(len(p.ids)); i < uint(len(p.ids)); i++ {
			p.remove(p.ids[i], path, types[op/16%uint(len(types))])
		}
	default:
		p.add(id, path, Kind(op/16%4))
	}
}

func (p *pair) attach(n int) {
	p.logf("attach %d", n)
	for range n {
		p.ids = append(p.ids, p.m.Attach())
	}
}

func (p *pair) detach(a uint) {
	i := int(a % uint(len(p.ids)))
	id := p.ids[i]
	p.logf("detach %d", id)
	p.ids = slices.Delete(p.ids, i, i+1)
	p.m.Detach(id)
	p.mod.detach(id)
}

func (p *pair) add(id ID, path string, k Kind) {
	p.logf("add %d %.20q %v", id, path, k)
	p.m.Add(id, path, k)
	p.mod.add(id, path, k)
}

func (p *pair) remove(id ID, path string, wt proto.WatcherType) {
	got, want := p.m.Remove(id, path, wt), p.mod.remove(id, path, wt)
	p.logf("remove %d %.20q %d: %v", id, path, wt, want)
	if got != want {
		p.fail("remove gives %v, model %v", got, want)
	}
}

func (p *pair) contains(id ID, path string, wt proto.WatcherType) {
	got, want := p.m.Contains(id, path, wt), p.mod.contains(id, path, wt)
	if got != want {
		p.fail("contains %d %.20q %d gives %v, model %v", id, path, wt, got, want)
	}
}

func (p *pair) fire(path string, ev proto.EventType) {
	var got []ID
	data, child := p.m.Fire(path, ev, func(id ID) { got = append(got, id) })
	want, wantData, wantChild := p.mod.fire(path, ev)
	p.logf("fire %.20q %v: %v", path, ev, want)
	slices.Sort(got)
	if !slices.Equal(got, want) || data != wantData || child != wantChild {
		p.fail("told %v (%d, %d), model %v (%d, %d)", got, data, child, want, wantData, wantChild)
	}
}

func (p *pair) compare() {
	check(p.t, p.m)
	if got, want := p.m.Len(), p.mod.size(); got != want {
		p.fail("%d watches, model %d", got, want)
	}
	if got, want := p.m.Summary(), p.mod.summary(); got != want {
		p.fail("summary %+v, model %+v", got, want)
	}
	if got, want := p.m.ByPath(), p.mod.byPath(); !reflect.DeepEqual(got, want) {
		p.fail("by path %v, model %v", got, want)
	}
	if got, want := p.m.ByWatcher(), p.mod.byWatcher(); !reflect.DeepEqual(got, want) {
		p.fail("by watcher %v, model %v", got, want)
	}
}

func (p *pair) logf(format string, args ...any) { p.log = append(p.log, fmt.Sprintf(format, args...)) }

func (p *pair) fail(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf("%s\nafter:\n%s", fmt.Sprintf(format, args...), strings.Join(p.log[max(0, len(p.log)-40):], "\n"))
}

func TestAgreesWithModel(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			p := newPair(t)
			for i := range 1500 {
				p.step(rng.Uint()>>8, rng.Uint()>>8, rng.Uint()>>8)
				if i%300 == 0 {
					p.compare()
				}
			}
			p.compare()
			for len(p.ids) > 0 {
				p.detach(0)
			}
			p.compare()
			if n := p.m.Len(); n != 0 {
				t.Fatalf("%d watches without watchers", n)
			}
		})
	}
}

func FuzzAgreesWithModel(f *testing.F) {
	f.Add([]byte{0, 9, 9, 12, 0, 1, 7, 2, 1, 28, 1, 1, 9, 1, 2})
	f.Add([]byte{0, 9, 10, 10, 0, 3, 26, 0, 3, 58, 1, 0, 7, 1, 4, 1, 8, 0, 7, 1, 3})
	f.Add([]byte{16, 89, 1, 16, 89, 1, 10, 0, 1, 11, 40, 1, 11, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 600 {
			return
		}
		p := newPair(t)
		for ; len(b) >= 3; b = b[3:] {
			p.step(uint(b[0]), uint(b[1]), uint(b[2]))
		}
		p.compare()
	})
}
