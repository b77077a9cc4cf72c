package watch

import (
	"slices"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
)

// told gives who is told of an event, in order.
func told(m *Manager, path string, ev proto.EventType) []ID {
	var ids []ID
	m.Fire(path, ev, func(id ID) { ids = append(ids, id) })
	slices.Sort(ids)
	return ids
}

func wantTold(t *testing.T, m *Manager, path string, ev proto.EventType, want ...ID) {
	t.Helper()
	if got := told(m, path, ev); !slices.Equal(got, want) {
		t.Errorf("%v of %s told %v, want %v", ev, path, got, want)
	}
}

func TestEachKindHearsItsEvents(t *testing.T) {
	for _, test := range []struct {
		kind    Kind
		at      string
		hears   []proto.EventType // of /a, each with a fresh watch
		repeats bool
	}{
		{Data, "/a", []proto.EventType{proto.EventNodeCreated, proto.EventNodeDeleted, proto.EventNodeDataChanged}, false},
		{Child, "/a", []proto.EventType{proto.EventNodeDeleted, proto.EventNodeChildrenChanged}, false},
		{Persistent, "/a", []proto.EventType{proto.EventNodeCreated, proto.EventNodeDeleted, proto.EventNodeDataChanged, proto.EventNodeChildrenChanged}, true},
		{PersistentRecursive, "/a", []proto.EventType{proto.EventNodeCreated, proto.EventNodeDeleted, proto.EventNodeDataChanged}, true},
		{PersistentRecursive, "/", []proto.EventType{proto.EventNodeCreated, proto.EventNodeDeleted, proto.EventNodeDataChanged}, true},
		{Persistent, "/", nil, true},
		{PersistentRecursive, "/ab", nil, true},
		{PersistentRecursive, "/a/b", nil, true},
	} {
		for _, ev := range events {
			m := poisoned(t)
			id := m.Attach()
			m.Add(id, test.at, test.kind)
			var first, second []ID
			if slices.Contains(test.hears, ev) {
				first = []ID{id}
				if test.repeats {
					second = first
				}
			}
			wantTold(t, m, "/a", ev, first...)
			wantTold(t, m, "/a", ev, second...)
		}
	}
}

func TestToldOnceForDeletion(t *testing.T) {
	m := poisoned(t)
	both, child := m.Attach(), m.Attach()
	m.Add(both, "/a", Data)
	m.Add(both, "/a", Child)
	m.Add(both, "/", PersistentRecursive)
	m.Add(child, "/a", Child)
	var ids []ID
	d, c := m.Fire("/a", proto.EventNodeDeleted, func(id ID) { ids = append(ids, id) })
	if !slices.Equal(ids, []ID{both, child}) || d != 1 || c != 2 {
		t.Errorf("deletion told %v, counts %d and %d", ids, d, c)
	}
	if m.Contains(both, "/a", proto.WatcherChildren) {
		t.Error("the child watch of a watcher that the data table told is still there")
	}
}

func TestRemoveAndContainsFollowTypes(t *testing.T) {
	m := poisoned(t)
	id := m.Attach()
	for _, k := range []Kind{Data, Child, Persistent, PersistentRecursive} {
		m.Add(id, "/a", k)
	}
	for _, wt := range types[:5] {
		if !m.Contains(id, "/a", wt) {
			t.Errorf("type %d is not there", wt)
		}
	}
	for _, wt := range []proto.WatcherType{proto.WatcherData, proto.WatcherChildren, proto.WatcherPersistent} {
		if !m.Remove(id, "/a", wt) || m.Remove(id, "/a", wt) || m.Contains(id, "/a", wt) {
			t.Errorf("removing type %d went wrong", wt)
		}
	}
	if !m.Remove(id, "/a", proto.WatcherAny) || m.Contains(id, "/a", proto.WatcherAny) || !m.Empty() {
		t.Error("removing any left the recursive watch")
	}
}

// TestConnectionsOfSummary pins an oddity of Apache's counts.
func TestConnectionsOfSummary(t *testing.T) {
	m := poisoned(t)
	fired, removed := m.Attach(), m.Attach()
	m.Add(fired, "/a", Data)
	m.Add(removed, "/b", Data)
	if got, want := m.Summary().String(), "2 connections watching 2 paths\nTotal watches:2"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	told(m, "/a", proto.EventNodeDeleted)
	m.Remove(removed, "/b", proto.WatcherData)
	if got, want := m.Summary(), (Summary{Connections: 1}); got != want {
		t.Fatalf("got %+v, want %+v", got, want)
	}
}

// TestWatchingAgainAndAgain makes sure that what an event leaves behind in the
// list of its watcher does not pile up.
func TestWatchingAgainAndAgain(t *testing.T) {
	m := poisoned(t)
	id := m.Attach()
	all := make([]string, 100)
	for i := range all {
		all[i] = "/p" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		m.Add(id, all[i], Child)
	}
	for range 200 {
		for _, p := range all {
			m.Add(id, p, Data)
			told(m, p, proto.EventNodeDataChanged)
		}
	}
	if n := m.roster.lane(id).record(id).n; n > 2*100+16 {
		t.Errorf("a watcher of 100 paths has a list of %d", n)
	}
	check(t, m)
}

func TestNumbersAreUsedAgain(t *testing.T) {
	m := poisoned(t)
	a, b := m.Attach(), m.Attach()
	if a != 1 || b != 2 {
		t.Fatalf("the first numbers are %d and %d", a, b)
	}
	m.Add(a, "/a", Data)
	m.Detach(a)
	if c := m.Attach(); c != a {
		t.Fatalf("number %d was given, %d was free", c, a)
	}
	wantTold(t, m, "/a", proto.EventNodeDataChanged)
}

// TestShardGivesMemoryBack fills a manager, empties it and looks at what stays.
func TestShardGivesMemoryBack(t *testing.T) {
	m := poisoned(t)
	fill(m, 100, 500, true)
	for id := ID(1); id <= 100; id++ {
		m.Detach(id)
	}
	for i := range m.shards {
		if n := len(m.shards[i].entries); n > keptPages {
			t.Errorf("shard %d keeps %d pages", i, n)
		}
	}
	m.Add(m.Attach(), "/a", Data)
	check(t, m)
}
