package tree

import (
	"testing"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
)

// Each fault planted in a sound tree is found.
func TestCheckFinds(t *testing.T) {
	for name, plant := range map[string]func(*Tree){
		"count":            func(t *Tree) { t.count++ },
		"data size":        func(t *Tree) { t.dataSize-- },
		"digest":           func(t *Tree) { t.digest++ },
		"memo":             func(t *Tree) { t.memo.digest++ },
		"lost in index":    func(t *Tree) { t.index.remove(t.index.place("/p/a"), t.Find("/p/a")) },
		"twice in index":   func(t *Tree) { t.index.insert(t.index.place("/p/a"), t.Find("/p/a")) },
		"children counted": func(t *Tree) { t.dirOf(t.header(t.Find("/p"))).children++ },
		"bytes of names":   func(t *Tree) { t.dirOf(t.header(t.Find("/p"))).nameBytes++ },
		"last child":       func(t *Tree) { t.dirOf(t.header(t.Find("/p"))).last = t.Find("/p/a") },
		"sibling":          func(t *Tree) { t.header(t.Find("/p/b")).prev = 0 },
		"parent":           func(t *Tree) { t.header(t.Find("/p/b")).parent = root },
		"data":             func(t *Tree) { t.Data(t.Find("/p/a"))[0]++ },
		"acl":              func(t *Tree) { t.header(t.Find("/p/acl")).acl = OpenACL },
		"acl's uses":       func(t *Tree) { t.acls.lists[t.ACLID(t.Find("/p/acl"))].uses++ },
		"owner":            func(t *Tree) { t.extraOf(t.header(t.Find("/p/e"))).owner = 0 },
		"another owner":    func(t *Tree) { t.extraOf(t.header(t.Find("/p/e"))).owner++ },
		"owner's list":     func(t *Tree) { t.extraOf(t.header(t.Find("/p/e"))).next = t.header(t.Find("/p/e")).more &^ isExtra },
		"extra's znode":    func(t *Tree) { t.extraOf(t.header(t.Find("/p/e"))).node++ },
		"ephemerals":       func(t *Tree) { t.owners.ephemerals++ },
		"containers":       func(t *Tree) { t.owners.containers.n++ },
		"quota":            func(t *Tree) { t.quotas["/gone"] = struct{}{} },
		"leaked blob":      func(t *Tree) { t.slab.Alloc(10) },
		"leaked header":    func(t *Tree) { t.headerTable.add() },
		"leaked dir":       func(t *Tree) { t.dirTable.add() },
		"freed header":     func(t *Tree) { t.headerTable.remove(uint32(t.Find("/p/a"))) },
	} {
		t.Run(name, func(t *testing.T) {
			tree := New()
			defer tree.Close()
			run(t, tree, born("/p", ""), born("/p/a", "data"), born("/p/b", ""),
				txn.Body{Type: proto.OpCreate, Path: "/p/e", Ephemeral: true}, txn.Body{Type: proto.OpCreate, Path: "/p/f", Ephemeral: true},
				txn.Body{Type: proto.OpCreateContainer, Path: "/p/c"}, born("/p/acl", ""))
			var r Result
			acl := proto.AppendACLs(nil, []proto.ACL{{Perms: 1, Scheme: "ip", ID: "1"}})
			tree.Apply(&txn.Txn{Header: txn.Header{Zxid: 90, Type: proto.OpSetACL},
				Body: txn.Body{Type: proto.OpSetACL, Path: "/p/acl", ACL: acl, Version: 1}}, &r)
			run(t, tree, born("/p/z", ""))
			must(t, tree.Check())
			plant(tree)
			if err := tree.Check(); err == nil {
				t.Fatal("nothing was found")
			}
		})
	}
}
