package watch

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
)

// TestManyConnections lets connections come, wait and go while changes are made
// under the tree's lock. Every change must reach every connection that waited
// for it at that moment.
func TestManyConnections(t *testing.T) {
	const (
		connections = 8
		rounds      = 300
		nodes       = 20
	)
	var (
		tree    sync.RWMutex
		m       = newManager(nil)   // the race detector sees Go's heap only
		waiting [nodes]atomic.Int64 // watches on each path
		wg      sync.WaitGroup
	)
	path := func(i int) string { return fmt.Sprintf("/node-%d", i) }
	for c := range connections {
		wg.Go(func() {
			for r := range rounds {
				id := m.Attach()
				for i := range nodes {
					tree.RLock()
					m.Add(id, path(i), Data)
					waiting[i].Add(1)
					m.Add(id, path(i), PersistentRecursive)
					tree.RUnlock()
				}
				if !m.Contains(id, path(c), proto.WatcherPersistentRecursive) {
					t.Error("a watch is lost")
				}
				for i := range nodes {
					tree.RLock()
					m.Remove(id, path(i), proto.WatcherPersistentRecursive)
					if m.Remove(id, path(i), proto.WatcherData) {
						waiting[i].Add(-1)
					}
					tree.RUnlock()
				}
				if r%2 == 0 {
					tree.RLock()
					m.Add(id, "/", Persistent)
					tree.RUnlock()
				}
				m.Detach(id)
			}
		})
	}
	done := make(chan struct{})
	committer := make(chan struct{})
	go func() {
		defer close(committer)
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			n := i % nodes
			tree.Lock()
			want := waiting[n].Load()
			got := int64(0)
			m.Fire(path(n), proto.EventNodeDataChanged, func(ID) { got++ })
			if got < want {
				t.Errorf("change of %s reached %d, %d waited", path(n), got, want)
			}
			waiting[n].Store(0)
			tree.Unlock()
			m.Summary()
			if i%16 == 0 {
				m.ByWatcher()
			}
		}
	}()
	wg.Wait()
	close(done)
	<-committer
	check(t, m)
	if m.Len() != 0 || m.Summary() != (Summary{}) {
		t.Fatalf("watches are left: %d, %+v", m.Len(), m.Summary())
	}
}
