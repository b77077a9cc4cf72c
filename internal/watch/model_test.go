package watch

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/quollhq/quoll/internal/proto"
)

// model is Apache's two WatchManagers as plain maps: slow and easy to check by
// eye.
type model struct {
	data, child modelTable
}

func newModel() *model { return &model{newModelTable(), newModelTable()} }

// ways is a set of modes.
type ways uint8

const (
	way1   ways = 1 << standard
	wayP   ways = 1 << persistent
	wayR   ways = 1 << recursive
	wayAny      = way1 | wayP | wayR
)

type modelTable struct {
	byPath map[string]map[ID]bool
	byID   map[ID]map[string]ways // stays when events use up the last path
}

func newModelTable() modelTable {
	return modelTable{make(map[string]map[ID]bool), make(map[ID]map[string]ways)}
}

func (m *model) add(id ID, path string, k Kind) {
	switch k {
	case Data:
		m.data.add(id, path, way1)
	case Child:
		m.child.add(id, path, way1)
	case Persistent:
		m.data.add(id, path, wayP)
		m.child.add(id, path, wayP)
	case PersistentRecursive:
		m.data.add(id, path, wayR)
	}
}

func (m *model) remove(id ID, path string, t proto.WatcherType) bool {
	switch t {
	case proto.WatcherChildren:
		return m.child.remove(id, path, way1)
	case proto.WatcherData:
		return m.data.remove(id, path, way1)
	case proto.WatcherPersistent:
		c, d := m.child.remove(id, path, wayP), m.data.remove(id, path, wayP)
		return c || d
	case proto.WatcherPersistentRecursive:
		return m.data.remove(id, path, wayR)
	case proto.WatcherAny:
		c, d := m.child.remove(id, path, wayAny), m.data.remove(id, path, wayAny)
		return c || d
	}
	return false
}

func (m *model) contains(id ID, path string, t proto.WatcherType) bool {
	d, c := m.data.byID[id][path], m.child.byID[id][path]
	switch t {
	case proto.WatcherChildren:
		return c&way1 != 0
	case proto.WatcherData:
		return d&way1 != 0
	case proto.WatcherPersistent:
		return d&wayP != 0
	case proto.WatcherPersistentRecursive:
		return d&wayR != 0
	case proto.WatcherAny:
		return d|c != 0
	}
	return false
}

func (m *model) detach(id ID) {
	m.data.detach(id)
	m.child.detach(id)
}

// fire gives who is told, in order, and how many watchers each table had.
func (m *model) fire(path string, ev proto.EventType) (told []ID, data, child int) {
	all := make(map[ID]bool)
	if ev != proto.EventNodeChildrenChanged {
		d := m.data.trigger(path)
		data = len(d)
		maps.Copy(all, d)
	}
	if ev == proto.EventNodeChildrenChanged || ev == proto.EventNodeDeleted {
		c := m.child.trigger(path)
		child = len(c)
		maps.Copy(all, c)
	}
	return slices.Sorted(maps.Keys(all)), data, child
}

func (m *model) size() int { return m.data.size() + m.child.size() }

func (m *model) summary() Summary {
	return Summary{len(m.data.byID), len(m.data.byPath), m.data.size()}
}

func (m *model) byPath() []PathWatchers {
	var list []PathWatchers
	for path, ids := range m.data.byPath {
		list = append(list, PathWatchers{path, slices.Sorted(maps.Keys(ids))})
	}
	slices.SortFunc(list, func(a, b PathWatchers) int { return cmp.Compare(a.Path, b.Path) })
	return list
}

func (m *model) byWatcher() []WatcherPaths {
	list := []WatcherPaths{}
	for id, paths := range m.data.byID {
		list = append(list, WatcherPaths{id, slices.Sorted(maps.Keys(paths))})
	}
	slices.SortFunc(list, func(a, b WatcherPaths) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

func (t *modelTable) add(id ID, path string, w ways) {
	if t.byPath[path] == nil {
		t.byPath[path] = make(map[ID]bool)
	}
	if t.byID[id] == nil {
		t.byID[id] = make(map[string]ways)
	}
	t.byPath[path][id] = true
	t.byID[id][path] |= w
}

func (t *modelTable) unwatch(id ID, path string) {
	delete(t.byID[id], path)
	delete(t.byPath[path], id)
	if len(t.byPath[path]) == 0 {
		delete(t.byPath, path)
	}
}

func (t *modelTable) remove(id ID, path string, w ways) bool {
	had := t.byID[id][path]
	if had&w == 0 {
		return false
	}
	if left := had &^ w; left != 0 {
		t.byID[id][path] = left
		return true
	}
	t.unwatch(id, path)
	if len(t.byID[id]) == 0 {
		delete(t.byID, id)
	}
	return true
}

func (t *modelTable) detach(id ID) {
	for path := range t.byID[id] {
		t.unwatch(id, path)
	}
	delete(t.byID, id)
}

func (t *modelTable) size() int {
	n := 0
	for _, ids := range t.byPath {
		n += len(ids)
	}
	return n
}

func (t *modelTable) trigger(path string) map[ID]bool {
	told := make(map[ID]bool)
	for id := range t.byPath[path] {
		told[id] = true
		if left := t.byID[id][path] &^ way1; left != 0 {
			t.byID[id][path] = left
		} else {
			t.unwatch(id, path)
		}
	}
	for _, above := range ancestors(path) {
		for id := range t.byPath[above] {
			if t.byID[id][above]&wayR != 0 {
				told[id] = true
			}
		}
	}
	return told
}

// ancestors gives the paths above path, the root last.
func ancestors(path string) []string {
	var list []string
	for path != "/" {
		path = path[:strings.LastIndexByte(path, '/')]
		if path == "" {
			path = "/"
		}
		list = append(list, path)
	}
	return list
}
