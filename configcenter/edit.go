package configcenter

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/quollhq/quoll/client"
)

// edit makes the operations by which the nodes of a context change. Each has the
// version that its node was read at, and a node is deleted only while it has no
// children: if somebody else was faster none of them takes place.
type edit struct {
	c   *Center
	dir string
	s   *state
	// tidy takes away steps that lead nowhere any more: left, they would be empty
	// properties.
	tidy bool
	// after are the properties as they will be.
	after map[string]string
	ops   []client.Op

	kept    map[string]node // nodes that are there and are set, by path
	cleared map[string]node // nodes of properties that are removed, by path
	dropped map[string]bool // nodes that are deleted, by path
	gone    map[string]int32
}

func newEdit(c *Center, name string, s *state, tidy bool) *edit {
	return &edit{
		c: c, dir: c.dir(name), s: s, tidy: tidy, after: s.values(),
		kept: make(map[string]node), cleared: make(map[string]node), dropped: make(map[string]bool), gone: make(map[string]int32),
	}
}

// set gives a property a value: in its node, in one that was only a step, or in a
// new one.
func (e *edit) set(key, value string) {
	e.after[key] = value
	p, there := e.s.properties[key]
	n := p.node
	if !there {
		n, there = e.s.steps[client.Join(e.dir, key)]
	}
	switch {
	case !there:
		e.ops = append(e.ops, e.c.createOp(client.Join(e.dir, key), []byte(value)))
		return
	case n.value != value:
		e.ops = append(e.ops, client.SetOp(n.path, []byte(value), n.version))
	}
	n.value = value
	e.kept[n.path] = n
}

// remove takes properties away, with all nodes of theirs, and with the steps that
// led to them alone.
func (e *edit) remove(keys []string) {
	for _, key := range keys {
		delete(e.after, key)
		p, there := e.s.properties[key]
		for one := &p; there && one != nil; one = one.hidden {
			e.cleared[one.path] = one.node
		}
	}
	paths := make([]string, 0, len(e.cleared))
	for path := range e.cleared {
		paths = append(paths, path)
	}
	slices.SortFunc(paths, func(a, b string) int { // children before their parents
		return cmp.Or(strings.Count(b, "/")-strings.Count(a, "/"), strings.Compare(a, b))
	})
	for _, path := range paths {
		n := e.cleared[path]
		switch {
		case e.dropped[path]:
		case n.children > e.gone[path]:
			e.ops = append(e.ops, client.SetOp(path, nil, n.version))
		default:
			e.drop(n)
		}
	}
}

// drop deletes a node without children, and the steps above that have no others.
func (e *edit) drop(n node) {
	e.dropped[n.path] = true
	e.ops = append(e.ops, client.DeleteOp(n.path, n.version))
	parent := n.path[:strings.LastIndexByte(n.path, '/')]
	e.gone[parent]++
	above, empty := e.cleared[parent]
	if !empty {
		above, empty = e.s.steps[parent]
	}
	if _, set := e.kept[parent]; !empty || set || above.children > e.gone[parent] {
		return
	}
	if _, cleared := e.cleared[parent]; !cleared && !e.tidy {
		e.bare(parent)
		return
	}
	e.drop(above)
}

// bare is what becomes of a step that has to stay though it leads nowhere.
func (e *edit) bare(path string) {
	key := keyOf(e.dir, path)
	if _, there := e.after[key]; !there {
		e.after[key] = ""
	}
}

// check fails if a property is to be empty that cannot be told from a step.
func (e *edit) check() error {
	for path, n := range e.kept {
		if n.value == "" && n.children > e.gone[path] {
			return fmt.Errorf("%w: property %q cannot be empty: there are properties below %s", ErrInvalid, keyOf(e.dir, path), path)
		}
	}
	return nil
}

// keyOf is the property of a node below a context.
func keyOf(dir, path string) string {
	return strings.ReplaceAll(strings.TrimPrefix(path, dir+"/"), "/", ".")
}
