package watch

import (
	"fmt"
	"slices"
	"unsafe"
)

// entry is a path that somebody waits on. Nearly always they wait in one way, so that there is room for one set. An
// unused entry has none, and the number of the next unused one in place of the path's length.
type entry struct {
	path ref
	form uint32 // how the sets are kept, above the length of the path
	// The set of the form's way, 0 if the entry is unused. With formSeveral it is the ref of a block in the arena, which
	// has a set for each way; at least one is not empty.
	sets [1]set
}

const (
	// lengthBits are enough: no request is as long as 1 GiB.
	lengthBits = 30
	maxLength  = 1<<lengthBits - 1
)

// form says which way of waiting the set of an entry is for.
type form uint32

const (
	formData form = iota
	formRecursive
	formChild
	formSeveral // a block of sets
)

// allWays is the number of ways to wait on a path: in the data table once, persistently and recursively; in the child
// table once and persistently.
const allWays = int(modes) + int(recursive)

// at numbers the ways.
func (w where) at() int { return int(w.table)*int(modes) + int(w.mode) }

// formOf gives the form for watchers that wait in one way alone. Those that do it persistently are in both tables.
var formOf = [allWays]form{
	int(standard): formData, int(persistent): formSeveral, int(recursive): formRecursive,
	int(modes) + int(standard): formChild, int(modes) + int(persistent): formSeveral,
}

// newEntry is an entry without watchers, for a path of n bytes or with the number n of the next unused entry.
func newEntry(path ref, n int) entry {
	if n > maxLength {
		panic(fmt.Sprintf("watch: a path of %d bytes", n))
	}
	return entry{path: path, form: uint32(n)}
}

// length is that of the path, or the number of the next unused entry.
func (e *entry) length() int { return int(e.form & maxLength) }

// unwatched tells whether nobody waits on the path.
func (e *entry) unwatched() bool { return e.sets[0] == 0 }

func (e *entry) kept() form { return form(e.form >> lengthBits) }

// keep makes s the one set, or the block, of e.
func (e *entry) keep(f form, s set) {
	e.form = e.form&maxLength | uint32(f)<<lengthBits
	e.sets[0] = s
}

// sets gives the block of an entry of formSeveral.
func (a *arena) sets(e *entry) []set {
	w := a.words(ref(e.sets[0]), allWays)
	return unsafe.Slice((*set)(unsafe.SliceData(w)), allWays)
}

// set gives the watchers that wait on e in this way.
func (a *arena) set(e *entry, w where) set {
	switch e.kept() {
	case formSeveral:
		return a.sets(e)[w.at()]
	case formOf[w.at()]:
		return e.sets[0]
	}
	return 0
}

// table gives the sets of one table; those that are empty may be among them or not. They are valid until a set of e is
// replaced.
func (a *arena) table(e *entry, t tableID) []set {
	f := e.kept()
	switch {
	case f == formSeveral && t == dataTable:
		return a.sets(e)[:modes]
	case f == formSeveral:
		return a.sets(e)[modes:]
	case (f == formChild) == (t == childTable):
		return e.sets[:]
	}
	return nil
}

// putSet replaces the set of those that wait on e in this way.
func (a *arena) putSet(e *entry, w where, s set) {
	f := formOf[w.at()]
	switch {
	case e.kept() == formSeveral:
		a.sets(e)[w.at()] = s
		if s == 0 {
			a.gather(e)
		}
	case f == e.kept() || f != formSeveral && e.unwatched():
		e.keep(f, s)
	default:
		a.spread(e)
		a.sets(e)[w.at()] = s
	}
}

// spread moves the set of an entry, if it has one, to a block.
func (a *arena) spread(e *entry) {
	f, only := e.kept(), e.sets[0]
	e.keep(formSeveral, set(a.alloc(allWays)))
	several := a.sets(e)
	clear(several)
	if only != 0 {
		several[slices.Index(formOf[:], f)] = only
	}
}

// gather frees the block of an entry that does not need one any more.
func (a *arena) gather(e *entry) {
	f, only := formData, set(0)
	for at, s := range a.sets(e) {
		if s == 0 {
			continue
		}
		if only != 0 || formOf[at] == formSeveral {
			return
		}
		f, only = formOf[at], s
	}
	a.release(ref(e.sets[0]), allWays)
	e.keep(f, only)
}

// none tells whether all of the sets are empty.
func none(sets []set) bool {
	for _, s := range sets {
		if s != 0 {
			return false
		}
	}
	return true
}

// hasAny tells whether id is a member of one of the sets.
func (a *arena) hasAny(sets []set, id ID) bool {
	for _, s := range sets {
		if a.has(s, id) {
			return true
		}
	}
	return false
}
