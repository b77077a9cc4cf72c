// Package watch knows who waits for which change of the tree.
//
// A watcher is one client connection. It can wait on a path in four ways
// (see Kind), and the watches live in two tables: the data table is told of
// creation, deletion and new data of the path itself, the child table of
// deletion and of changes to the path's list of children.
//
// The rules are those of Apache ZooKeeper 3.9's WatchManager and DataTree:
//
//   - A watcher is told once per table and event, however many of its watches
//     match.
//   - A one-shot watch is used up by the event that it matches, also when the
//     caller then decides not to deliver the event, for instance because the
//     watcher may not read the znode. The callback of Fire therefore gets
//     every watcher, and filtering is the caller's.
//   - A watcher told of a deletion by the data table is not told again by the
//     child table, but its watch there is used up all the same.
//   - A recursive watch is told of creation, deletion and new data of its path
//     and of everything below, never of changes to a list of children: the
//     creations and deletions below say the same.
package watch

import "fmt"

// ID numbers a watcher. Numbers are small and dense: that of a detached
// watcher is given to a later one.
type ID uint32

// Kind is how a watcher waits on a path.
type Kind uint8

// The kinds of watches.
const (
	// Data waits once for creation, deletion or new data of the path.
	Data Kind = iota
	// Child waits once for deletion of the path or a change of its children.
	Child
	// Persistent waits for all of these until it is removed.
	Persistent
	// PersistentRecursive waits for creation, deletion and new data of the
	// path and of everything below until it is removed.
	PersistentRecursive
)

// String names the kind.
func (k Kind) String() string {
	switch k {
	case Data:
		return "data"
	case Child:
		return "child"
	case Persistent:
		return "persistent"
	case PersistentRecursive:
		return "persistent recursive"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}
