package watch

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/quollhq/quoll/internal/proto"
)

// tableID is one of the two tables.
type tableID uint32

const (
	dataTable tableID = iota
	childTable
	tables
)

// mode is the way in which a watcher waits on one path in one table.
type mode uint8

const (
	standard mode = iota // once
	persistent
	recursive // in the data table only
	modes
)

// where names one set of an entry.
type where struct {
	table tableID
	mode  mode
}

var everywhere = [...]where{
	{childTable, standard}, {dataTable, standard},
	{childTable, persistent}, {dataTable, persistent},
	{dataTable, recursive},
}

// addSets gives the sets that a watch of kind k is in.
func addSets(k Kind) []where {
	switch k {
	case Child:
		return everywhere[0:1]
	case Data:
		return everywhere[1:2]
	case Persistent:
		return everywhere[2:4]
	case PersistentRecursive:
		return everywhere[4:5]
	}
	panic(fmt.Sprintf("watch: unknown kind %d", k))
}

// removeSets gives the sets that t means.
func removeSets(t proto.WatcherType) []where {
	switch t {
	case proto.WatcherChildren:
		return everywhere[0:1]
	case proto.WatcherData:
		return everywhere[1:2]
	case proto.WatcherPersistent:
		return everywhere[2:4]
	case proto.WatcherPersistentRecursive:
		return everywhere[4:5]
	case proto.WatcherAny:
		return everywhere[:]
	}
	return nil
}

// maxDepth is the depth that stands for itself and everything deeper.
const maxDepth = 63

// depth is the number of components of a path.
func depth(path string) int {
	if path == "/" {
		return 0
	}
	return min(strings.Count(path, "/"), maxDepth)
}

// depths knows at which depths there are recursive watches, so that an event
// looks at those of its path's ancestors alone.
type depths struct {
	mu   sync.Mutex
	n    [maxDepth + 1]int // paths with recursive watches
	mask atomic.Uint64     // a bit for each depth with n > 0
}

func (d *depths) add(depth, delta int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.n[depth] += delta
	if d.n[depth] > 0 {
		d.mask.Or(1 << depth)
	} else {
		d.mask.And(^uint64(1 << depth))
	}
}
