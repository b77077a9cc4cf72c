package request

import (
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/txn"
)

// nearRequests fetches what requests of a client name, before they are looked at
// one by one. The tree's lock is held, here as below.
func nearRequests(t *tree.Tree, reqs []Request) {
	if len(reqs) < 2 || !t.Far() {
		return
	}
	n := tree.Nearer{Tree: t}
	for i := range reqs {
		n.Add(reqs[i].Body)
	}
	n.Fetch()
}

// nearForwarded fetches what requests of a learner's clients name.
func nearForwarded(t *tree.Tree, list []Forwarded) {
	if len(list) < 2 || !t.Far() {
		return
	}
	n := tree.Nearer{Tree: t}
	for i := range list {
		n.Add(list[i].Body)
	}
	n.Fetch()
}

// nearEntries fetches what transactions name.
func nearEntries(t *tree.Tree, from, end int, entry func(i int) []byte) {
	if end-from < 2 || !t.Far() {
		return
	}
	n := tree.Nearer{Tree: t}
	for i := from; i < end; i++ {
		n.Add(txn.BodyOf(entry(i)))
	}
	n.Fetch()
}
