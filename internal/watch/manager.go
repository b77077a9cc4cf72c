package watch

import (
	"fmt"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/quollhq/quoll/internal/proto"
)

// Manager holds the watches of all connections of one server. All methods may
// be called concurrently, except that Fire must not be called twice at the
// same time. For a watch to miss no event, Add must be called under the same
// lock of the tree as the read that it belongs to, and Fire under the lock
// that excludes such reads.
type Manager struct {
	mu   sync.Mutex
	size atomic.Int64 // watches in both tables
	next ID
	free []ID
	data table
	kids table
}

// New returns a Manager without watchers.
func New() *Manager {
	return &Manager{data: newTable(), kids: newTable()}
}

// Attach adds a watcher without watches.
func (m *Manager) Attach() ID {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.free); n > 0 {
		id := m.free[n-1]
		m.free = m.free[:n-1]
		return id
	}
	id := m.next
	m.next++
	return id
}

// Detach drops all watches of id and frees the number. The caller must not
// use id afterwards.
func (m *Manager) Detach(id ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.data.drop(id)
	m.kids.drop(id)
	m.free = append(m.free, id)
	m.resize()
}

// Add makes id wait on path. The path is copied; it need not exist. Adding a
// watch that is there already changes nothing.
func (m *Manager) Add(id ID, path string, kind Kind) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch kind {
	case Data:
		m.data.add(id, path, standard)
	case Child:
		m.kids.add(id, path, standard)
	case Persistent:
		m.data.add(id, path, persistent)
		m.kids.add(id, path, persistent)
	case PersistentRecursive:
		m.data.add(id, path, recursive)
	}
	m.resize()
}

// Remove drops the watches of type t that id has on path, and tells whether
// there was one.
func (m *Manager) Remove(id ID, path string, t proto.WatcherType) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, c := modesOf(t)
	removed := c != 0 && m.kids.remove(id, path, c)
	if d != 0 && m.data.remove(id, path, d) {
		removed = true
	}
	m.resize()
	return removed
}

// Contains tells whether id has a watch of type t on path.
func (m *Manager) Contains(id ID, path string, t proto.WatcherType) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, c := modesOf(t)
	if t == proto.WatcherPersistent {
		c = 0 // the data table alone is asked
	}
	return m.data.byID[id][path]&d != 0 || m.kids.byID[id][path]&c != 0
}

// modesOf gives the modes that t means in the data and in the child table.
func modesOf(t proto.WatcherType) (data, child mode) {
	switch t {
	case proto.WatcherData:
		return standard, 0
	case proto.WatcherChildren:
		return 0, standard
	case proto.WatcherPersistent:
		return persistent, persistent
	case proto.WatcherPersistentRecursive:
		return recursive, 0
	case proto.WatcherAny:
		return anyMode, anyMode
	}
	return 0, 0
}

// Fire calls tell for every watcher that waits for this event on path, and
// uses up the one-shot watches among those. It gives the number of watchers
// told. The caller holds the tree's exclusive lock; tell must not call back
// into m.
func (m *Manager) Fire(path string, ev proto.EventType, tell func(ID)) int {
	if m.size.Load() == 0 {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	told := make(map[ID]bool)
	once := func(id ID) {
		if !told[id] {
			told[id] = true
			tell(id)
		}
	}
	if ev != proto.EventNodeChildrenChanged {
		m.data.fire(path, once)
	}
	if ev == proto.EventNodeDeleted || ev == proto.EventNodeChildrenChanged {
		m.kids.fire(path, once)
	}
	m.resize()
	return len(told)
}

func (m *Manager) resize() { m.size.Store(int64(m.data.size() + m.kids.size())) }

// Len is the number of watches: pairs of a watcher and a path, counted in
// each of the two tables.
func (m *Manager) Len() int { return int(m.size.Load()) }

// Summary counts the watches of the data table, as Apache does for wchs.
type Summary struct {
	Connections int // watchers
	Paths       int // paths watched
	Watches     int // pairs of the two
}

// String is the answer to wchs.
func (s Summary) String() string {
	return fmt.Sprintf("%d connections watching %d paths\nTotal watches:%d", s.Connections, s.Paths, s.Watches)
}

// Summary counts the watches of the data table.
func (m *Manager) Summary() Summary {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Summary{len(m.data.byID), len(m.data.byPath), m.data.size()}
}

// ByPath gives each path of the data table with its watchers, in order.
func (m *Manager) ByPath(yield func(path string, ids []ID) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	paths := make([]string, 0, len(m.data.byPath))
	for p := range m.data.byPath {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	for _, p := range paths {
		ids := make([]ID, 0, len(m.data.byPath[p]))
		for id := range m.data.byPath[p] {
			ids = append(ids, id)
		}
		sort.Slice(ids, func(i, j int) bool { return ids[i] < ids[j] })
		if !yield(p, ids) {
			return
		}
	}
}

// ByWatcher gives each watcher of the data table with its paths, in order.
func (m *Manager) ByWatcher(yield func(id ID, paths []string) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := make([]ID, 0, len(m.data.byID))
	for id := range m.data.byID {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(i, j int) bool { return ids[i] < ids[j] })
	for _, id := range ids {
		paths := make([]string, 0, len(m.data.byID[id]))
		for p := range m.data.byID[id] {
			paths = append(paths, p)
		}
		sort.Strings(paths)
		if !yield(id, paths) {
			return
		}
	}
}

// table is one of the two tables.
type table struct {
	byPath    map[string]map[ID]mode
	byID      map[ID]map[string]mode
	recursive int
}

func newTable() table {
	return table{byPath: make(map[string]map[ID]mode), byID: make(map[ID]map[string]mode)}
}

func (t *table) size() int {
	n := 0
	for _, p := range t.byPath {
		n += len(p)
	}
	return n
}

func (t *table) add(id ID, path string, md mode) {
	path = strings.Clone(path)
	if t.byPath[path] == nil {
		t.byPath[path] = make(map[ID]mode)
	}
	if t.byID[id] == nil {
		t.byID[id] = make(map[string]mode)
	}
	t.set(id, path, t.byPath[path][id]|md)
}

// set makes md the mode of id on path; without any left, the pair goes.
func (t *table) set(id ID, path string, md mode) {
	t.recursive += int(md>>2&1) - int(t.byPath[path][id]>>2&1)
	if md != 0 {
		t.byPath[path][id] = md
		t.byID[id][path] = md
		return
	}
	delete(t.byPath[path], id)
	if len(t.byPath[path]) == 0 {
		delete(t.byPath, path)
	}
	delete(t.byID[id], path)
}

func (t *table) remove(id ID, path string, md mode) bool {
	old := t.byPath[path][id]
	if old&md == 0 {
		return false
	}
	t.set(id, path, old&^md)
	if len(t.byID[id]) == 0 {
		delete(t.byID, id)
	}
	return true
}

func (t *table) drop(id ID) {
	for path := range t.byID[id] {
		t.set(id, path, 0)
	}
	delete(t.byID, id)
}

func (t *table) fire(path string, tell func(ID)) {
	for id, md := range t.byPath[path] {
		tell(id)
		t.set(id, path, md&^standard)
	}
	if t.recursive == 0 {
		return
	}
	for path != "/" {
		path = path[:max(strings.LastIndexByte(path, '/'), 0)]
		if path == "" {
			path = "/"
		}
		for id, md := range t.byPath[path] {
			if md&recursive != 0 {
				tell(id)
			}
		}
	}
}
