package watch

import (
	"slices"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
)

func told(m *Manager, path string, ev proto.EventType) []ID {
	var ids []ID
	m.Fire(path, ev, func(id ID) { ids = append(ids, id) })
	slices.Sort(ids)
	return ids
}

func TestOneShotIsUsedUp(t *testing.T) {
	m := New()
	id := m.Attach()
	m.Add(id, "/a", Data)
	if got := told(m, "/a", proto.EventNodeDataChanged); !slices.Equal(got, []ID{id}) {
		t.Fatalf("first change told %v, want %v", got, id)
	}
	if got := told(m, "/a", proto.EventNodeDataChanged); got != nil {
		t.Fatalf("second change told %v, want nobody", got)
	}
}

func TestRecursiveSeesWhatIsBelow(t *testing.T) {
	m := New()
	id := m.Attach()
	m.Add(id, "/a", PersistentRecursive)
	for _, path := range []string{"/a", "/a/b", "/a/b/c"} {
		if got := told(m, path, proto.EventNodeCreated); !slices.Equal(got, []ID{id}) {
			t.Errorf("creating %s told %v", path, got)
		}
		if got := told(m, path, proto.EventNodeChildrenChanged); got != nil {
			t.Errorf("children of %s told %v, want nobody", path, got)
		}
	}
	if got := told(m, "/ab", proto.EventNodeCreated); got != nil {
		t.Errorf("creating /ab told %v", got)
	}
}
