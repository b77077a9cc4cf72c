package tree

import (
	"fmt"
	"strings"
	"unsafe"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
)

// Change is what watches must be told of. Changes are listed in the order in
// which their watches fire:
//
//	create   NodeCreated of the path to its data watches,
//	         NodeChildrenChanged of the parent to its child watches
//	delete   NodeDeleted of the path to its data watches, then to those of its
//	         child watches that have not been told,
//	         NodeChildrenChanged of the parent to its child watches
//	setData  NodeDataChanged of the path to its data watches
//
// ACLID is the number of the list that says who may be told: that of the znode
// itself (of one deleted: the last it had), for NodeChildrenChanged the
// parent's. Path aliases the transaction or the Result.
type Change struct {
	Type  proto.EventType
	Path  string
	ACLID uint32
}

// Outcome is what a transaction, or one change of a multi, did.
type Outcome struct {
	Type    proto.Op
	Code    proto.Code
	Path    string // of the znode; "" if there is none
	Stat    proto.Stat
	HasStat bool // creates, setData, reconfig, setACL
}

// Result is what Apply did. It is meant to be reused: what it holds is good
// until the next Apply.
type Result struct {
	Outcome
	Multi   []Outcome // of a multi, one for each of its changes
	Changes []Change

	// Mismatch tells that the tree's digest after this transaction, Digest, is
	// not what its maker saw, Want.
	Mismatch     bool
	Digest, Want uint64

	paths []byte // memory of paths that the transaction does not hold
}

func (r *Result) reset(op proto.Op) {
	r.Outcome = Outcome{Type: op}
	r.Multi, r.Changes, r.paths = r.Multi[:0], r.Changes[:0], r.paths[:0]
	r.Mismatch, r.Want = false, 0
}

func (r *Result) change(typ proto.EventType, path string, acl uint32) {
	r.Changes = append(r.Changes, Change{typ, path, acl})
}

// Known is what the maker of a transaction found out about it, so that Apply need
// not again. The zero Known goes with every transaction.
type Known struct {
	// Node is the znode that a setData names, the parent of one that is created;
	// 0 if unknown. It was found in this tree, and no transaction since has created
	// or deleted it.
	Node Node
	// CRC is PrefixCRC of the path and the data that the transaction sets, if
	// Node is not 0.
	CRC uint32
}

// node finds the znode at path, which k.Node is, if known. The name is checked:
// a wrong Node would be a bug that must not spread.
func (t *Tree) node(path string, k Known) Node {
	if k.Node == 0 {
		return t.Find(path)
	}
	if name := t.name(t.header(k.Node).blob); k.Node != root && string(name) != path[lastSlash(path)+1:] {
		panic(fmt.Sprintf("tree: znode %d is known as %q, but its name is %q", k.Node, path, name))
	}
	return k.Node
}

// crc is PrefixCRC of a transaction's path and data.
func (k Known) crc(path string, data []byte) uint32 {
	if k.Node == 0 {
		return PrefixCRC(path, data)
	}
	return k.CRC
}

// Apply is ApplyKnown for a transaction of which nothing is known.
func (t *Tree) Apply(tx *txn.Txn, r *Result) { t.ApplyKnown(tx, Known{}, r) }

// ApplyKnown changes the tree as the transaction says. The caller holds Lock.
//
// A transaction that was validated against this state cannot fail. Applied
// again over a snapshot that holds its effect in part, it leaves what is right
// and says in Code what it met (NodeExists, NoNode); such codes are not
// failures then.
func (t *Tree) ApplyKnown(tx *txn.Txn, k Known, r *Result) {
	r.reset(tx.Header.Type)
	if len(t.acls.idle) > 0 && t.mvcc.newest == 0 {
		t.acls.sweep()
	}
	switch op := tx.Header.Type; op {
	case proto.OpMulti:
		t.applyMulti(tx, r)
	case proto.OpCloseSession:
		t.closeSession(tx, r)
	default:
		t.applyBody(&tx.Header, &tx.Body, op, k, r, &r.Outcome)
	}
	t.zxid = max(t.zxid, tx.Zxid)
	r.Digest = t.digest
	t.compareDigest(tx, r)
}

// applyMulti applies all changes of a multi, or none if one of them is an
// error: then those before it report OK, those after it
// RuntimeInconsistency.
func (t *Tree) applyMulti(tx *txn.Txn, r *Result) {
	failed := false
	for i := range tx.Subs {
		failed = failed || tx.Subs[i].Type == proto.OpError
	}
	past := false
	for i := range tx.Subs {
		r.Multi = append(r.Multi, Outcome{Type: tx.Subs[i].Type})
		out, sub := &r.Multi[i], &tx.Subs[i]
		switch {
		case !failed:
			t.applyBody(&tx.Header, sub, sub.Type, Known{}, r, out)
		case sub.Type == proto.OpError:
			out.Code, past = sub.Err, true
		default:
			if out.Type = proto.OpError; past {
				out.Code = proto.RuntimeInconsistency
			}
		}
		if r.Code == proto.OK {
			r.Code = out.Code
		}
	}
}

func (t *Tree) applyBody(h *txn.Header, b *txn.Body, op proto.Op, k Known, r *Result, out *Outcome) {
	out.Path = b.Path
	switch op {
	case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
		t.create(h, b, ownerOf(h, b, op), k, r, out)
	case proto.OpDelete, proto.OpDeleteContainer:
		out.Code = t.delete(b.Path, h.Zxid, r)
	case proto.OpSetData, proto.OpReconfig:
		t.setData(h, b, k, r, out)
	case proto.OpSetACL:
		t.setACL(b, out)
	case proto.OpError:
		out.Code = b.Err
	}
}

func lastSlash(path string) int { return strings.LastIndexByte(path, '/') }

// splitAt tells where the name of a znode begins after its last slash, false if
// path cannot be that of any but the root: there is no slash, no name, or
// another slash before, with the root's name in front.
func splitAt(path string) (slash int, ok bool) {
	slash = lastSlash(path)
	return slash, slash >= 0 && slash < len(path)-1 && path[:slash] != "/"
}

// watchPath is a parent's path as watches know it.
func watchPath(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// keep is n's path in the Result's memory.
func (r *Result) keep(t *Tree, n Node) string {
	from := len(r.paths)
	r.paths = t.appendPath(r.paths, n)
	return aliasString(r.paths[from:])
}

// aliasString views b as a string, valid as long as b is left alone.
func aliasString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
