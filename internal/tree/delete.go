package tree

import (
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
)

func (t *Tree) delete(path string, zxid int64, r *Result) proto.Code {
	slash, ok := splitAt(path)
	if !ok {
		return proto.BadArguments
	}
	parentPath, name := path[:slash], path[slash+1:]
	parent := t.Find(parentPath)
	if parent == 0 {
		return proto.NoNode
	}
	t.touchParent(parent, parentPath, zxid)
	n := t.Find(path)
	if n == 0 {
		return proto.NoNode
	}
	acl := t.ACLID(n)
	t.removeBelow(n, path)
	size := len(t.Data(n))
	t.removeNode(n, path)
	t.countDeleted(path, parentPath, name, size)
	r.change(proto.EventNodeDeleted, path, acl)
	r.change(proto.EventNodeChildrenChanged, watchPath(parentPath), t.ACLID(parent))
	return proto.OK
}

// removeBelow takes out what is below a znode that is about to be deleted. There
// is something only if the transaction is applied again over a snapshot from
// after it: then what is below was created later, and will be created again.
func (t *Tree) removeBelow(n Node, path string) {
	for c := t.FirstChild(n); c != 0; c = t.FirstChild(n) {
		name := string(t.Name(c))
		childPath := path + "/" + name
		t.removeBelow(c, childPath)
		size := len(t.Data(c))
		t.removeNode(c, childPath)
		t.countDeleted(childPath, path, name, size)
	}
}

// touchParent notes a delete in the parent, even if the child is gone already.
// A larger pzxid comes from a create that the snapshot's parent has seen.
func (t *Tree) touchParent(parent Node, path string, zxid int64) {
	h := t.headerTable.edit(uint32(parent))
	if d := t.editDir(h); zxid > d.pzxid {
		t.changeParent(parent, h, path, d.cversion, zxid)
	}
}

// closeSession deletes the ephemerals that the transaction names, whoever owns
// them by now, then what else the session owns here.
func (t *Tree) closeSession(tx *txn.Txn, r *Result) {
	if tx.HasPaths {
		for _, p := range tx.Paths {
			t.delete(p, tx.Zxid, r)
		}
	}
	for {
		first := t.owners.sessions[tx.ClientID].first
		if first == 0 {
			return
		}
		t.delete(r.keep(t, t.extra(first).node), tx.Zxid, r)
	}
}
