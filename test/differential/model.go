package differential

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/quollhq/quoll/internal/proto"
)

// model is what the generator knows of the tree: roughly what there is, so that most requests hit something.
type model struct {
	paths []string // sorted
	known map[string]*node
}

type node struct {
	version int32
	owner   int // the slot whose ephemeral it is, -1 if none
}

func newModel() *model { return &model{known: map[string]*node{}} }

func (m *model) add(path string, owner int) {
	if m.known[path] == nil {
		i, _ := slices.BinarySearch(m.paths, path)
		m.paths = slices.Insert(m.paths, i, path)
	}
	m.known[path] = &node{owner: owner}
}

func (m *model) remove(path string) {
	if m.known[path] == nil {
		return
	}
	delete(m.known, path)
	i, _ := slices.BinarySearch(m.paths, path)
	m.paths = slices.Delete(m.paths, i, i+1)
}

// closed removes the ephemerals of a slot.
func (m *model) closed(slot int) {
	for _, path := range slices.Clone(m.paths) {
		if m.known[path].owner == slot {
			m.remove(path)
		}
	}
}

// pick is some path that exists, "/" if none does.
func (m *model) pick(rng *rand.Rand) string {
	if len(m.paths) == 0 {
		return "/"
	}
	return m.paths[rng.IntN(len(m.paths))]
}

// leaf is some path that has no children, mostly.
func (m *model) leaf(rng *rand.Rand) string {
	if len(m.paths) == 0 {
		return "/a"
	}
	i := rng.IntN(len(m.paths))
	for i+1 < len(m.paths) && strings.HasPrefix(m.paths[i+1], m.paths[i]+"/") {
		i++
	}
	return m.paths[i]
}

// hint says what an operation does if it succeeds.
type hint struct {
	op        proto.Op
	path      string
	ephemeral bool
}

// learn takes over what a request of slot did.
func (m *model) learn(slot int, hints []hint, results []result) {
	if len(hints) != len(results) {
		return
	}
	for _, r := range results {
		if r.err != proto.OK && len(results) > 1 && isWrite(hints[0].op) {
			return // of a multi that failed nothing is done
		}
	}
	for i, r := range results {
		h := hints[i]
		switch {
		case r.err == proto.NoNode && h.op != proto.OpCreate && h.op != proto.OpCreate2:
			m.remove(h.path)
		case r.err != proto.OK:
		case r.path != "" && isCreate(h.op):
			owner := -1
			if h.ephemeral {
				owner = slot
			}
			m.add(r.path, owner)
		case h.op == proto.OpDelete || h.op == proto.OpDeleteContainer:
			m.remove(h.path)
		case r.stat != nil && m.known[h.path] != nil && h.op != proto.OpSetACL:
			m.known[h.path].version = r.stat.Version
		}
	}
}

func isCreate(op proto.Op) bool {
	switch op {
	case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
		return true
	}
	return false
}

func isWrite(op proto.Op) bool {
	return isCreate(op) || op == proto.OpDelete || op == proto.OpSetData || op == proto.OpCheck
}
