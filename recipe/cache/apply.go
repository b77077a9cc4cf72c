package cache

import "github.com/quollhq/quoll/client"

// What stands here is called with the tree's lock held.

// at is the entry of a path, made if there is none.
func (t *Tree[T]) at(path string) *entry[T] {
	e := t.entries[path]
	if e != nil {
		return e
	}
	e = &entry[T]{}
	t.entries[path] = e
	if path != t.root {
		parent, name := split(path)
		p := t.at(parent)
		if p.kids == nil {
			p.kids = make(map[string]struct{})
		}
		p.kids[name] = struct{}{}
	}
	return e
}

// set records a node that was read. It tells whether all its children are known:
// that none came or went after the change up to which the cache is complete,
// and of which therefore nobody may have told.
func (t *Tree[T]) set(n *Node[T]) (complete bool) {
	e := t.at(n.Path)
	if e.node == nil || !same(e.node, n) {
		t.replace(n.Path, e, n)
	}
	if n.Err != nil && n.Stat == (client.Stat{}) {
		return true // not even its Stat can be read, so neither can its children
	}
	if n.Stat.NumChildren == 0 {
		for name := range e.kids {
			t.remove(client.Join(n.Path, name))
		}
		e.listed = true
	}
	return e.listed && n.Stat.Pzxid <= t.zxid
}

// same tells whether nothing has changed but, perhaps, the children.
func same[T any](a, b *Node[T]) bool {
	return (a.Err == nil) == (b.Err == nil) && a.Stat.Czxid == b.Stat.Czxid && a.Stat.Mzxid == b.Stat.Mzxid &&
		a.Stat.Version == b.Stat.Version && a.Stat.Aversion == b.Stat.Aversion
}

// setChildren records the names of all children, and returns the paths of those
// that were not known.
func (t *Tree[T]) setChildren(path string, names []string) (found []string) {
	e := t.at(path)
	e.listed = true
	there := make(map[string]struct{}, len(names))
	for _, name := range names {
		there[name] = struct{}{}
		if _, ok := e.kids[name]; !ok {
			kid := client.Join(path, name)
			t.at(kid)
			found = append(found, kid)
		}
	}
	for name := range e.kids {
		if _, ok := there[name]; !ok {
			t.remove(client.Join(path, name))
		}
	}
	return found
}

// remove forgets a node and all below it.
func (t *Tree[T]) remove(path string) {
	e := t.entries[path]
	if e == nil {
		return
	}
	for name := range e.kids {
		t.remove(client.Join(path, name))
	}
	if e.node != nil {
		t.replace(path, e, nil)
	}
	delete(t.entries, path)
	if path != t.root {
		parent, name := split(path)
		if p := t.entries[parent]; p != nil {
			delete(p.kids, name)
		}
	}
}

// replace changes an entry's node, and tells who follows the changes.
func (t *Tree[T]) replace(path string, e *entry[T], n *Node[T]) {
	for r := range t.readers {
		r.note(path, e.node)
	}
	if e.node != nil {
		t.count--
	}
	if n != nil {
		t.count++
	}
	e.node, t.view = n, nil
	for r := range t.readers {
		r.settle(path, n)
	}
}
