package cache

import (
	"fmt"
	"testing"
)

// A reader that stands still does not gather what comes and goes meanwhile.
func TestReaderGathersNothing(t *testing.T) {
	tree := &Tree[string]{root: "/", entries: make(map[string]*entry[string]), readers: make(map[*reader[string]]struct{})}
	tree.set(&Node[string]{Path: "/stays"})
	r := tree.subscribe()
	for i := range 100_000 {
		path := fmt.Sprintf("/job-%d", i%70_000)
		tree.set(&Node[string]{Path: path})
		tree.remove(path)
	}
	tree.set(&Node[string]{Path: "/new"})
	if len(r.old) > 2 || len(r.order) > 2*spareOrder {
		t.Errorf("%d changes, %d paths", len(r.old), len(r.order))
	}
	for _, want := range []string{"/stays", "/new"} {
		if change, ok := tree.next(r); !ok || change.Path != want || change.Old != nil || change.New == nil {
			t.Errorf("%+v, want %s", change, want)
		}
	}
	if change, ok := tree.next(r); ok {
		t.Errorf("%+v", change)
	}
}
