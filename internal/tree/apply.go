package tree

import (
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

// Apply changes the tree as the transaction says. The caller holds Lock.
//
// A transaction that was validated against this state cannot fail. Applied
// again over a snapshot that holds its effect in part, it leaves what is right
// and says in Code what it met (NodeExists, NoNode); such codes are not
// failures then.
func (t *Tree) Apply(tx *txn.Txn, r *Result) {
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
		t.applyBody(&tx.Header, &tx.Body, op, r, &r.Outcome)
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
			t.applyBody(&tx.Header, sub, sub.Type, r, out)
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

func (t *Tree) applyBody(h *txn.Header, b *txn.Body, op proto.Op, r *Result, out *Outcome) {
	out.Path = b.Path
	switch op {
	case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
		t.create(h, b, ownerOf(h, b, op), r, out)
	case proto.OpDelete, proto.OpDeleteContainer:
		out.Code = t.delete(b.Path, h.Zxid, r)
	case proto.OpSetData, proto.OpReconfig:
		t.setData(h, b, r, out)
	case proto.OpSetACL:
		t.setACL(b, out)
	case proto.OpError:
		out.Code = b.Err
	}
}

// ownerOf is the owner of the znode that a create makes.
func ownerOf(h *txn.Header, b *txn.Body, op proto.Op) int64 {
	switch {
	case op == proto.OpCreateContainer:
		return proto.ContainerOwner
	case op == proto.OpCreateTTL:
		return proto.TTLOwner(b.TTL & proto.MaxTTL)
	case b.Ephemeral:
		return h.ClientID
	}
	return 0
}

func lastSlash(path string) int { return strings.LastIndexByte(path, '/') }

// watchPath is a parent's path as watches know it.
func watchPath(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

func (t *Tree) create(hdr *txn.Header, b *txn.Body, owner int64, r *Result, out *Outcome) {
	slash := lastSlash(b.Path)
	if slash < 0 {
		out.Code = proto.BadArguments
		return
	}
	parentPath := b.Path[:slash]
	parent := t.Find(parentPath)
	if parent == 0 {
		out.Code = proto.NoNode
		return
	}
	acl, err := t.acls.intern(b.ACL, t.mvcc.newest != 0)
	if err != nil {
		out.Code = proto.MarshallingError
		return
	}
	pl := t.index.place(b.Path)
	n := root
	if b.Path != "/" {
		n = t.find(pl, b.Path)
	}
	if n != 0 {
		t.createExisting(n, parent, parentPath, acl, hdr.Zxid, b.ParentCversion)
		out.Code = proto.NodeExists
		return
	}
	if slash == len(b.Path)-1 {
		t.acls.release(acl)
		out.Code = proto.BadArguments
		return
	}
	t.adoptParent(parent, parentPath, b.ParentCversion, hdr.Zxid)
	st := proto.StatPersisted{Czxid: hdr.Zxid, Mzxid: hdr.Zxid, Pzxid: hdr.Zxid, Ctime: hdr.Time, Mtime: hdr.Time,
		EphemeralOwner: owner}
	n = t.addChildAt(pl, parent, b.Path, b.Data, acl, &st)
	out.Stat = proto.Stat{Czxid: hdr.Zxid, Mzxid: hdr.Zxid, Pzxid: hdr.Zxid, Ctime: hdr.Time, Mtime: hdr.Time,
		DataLength: int32(len(b.Data))}
	if owner != 0 && t.opt.kindOf(owner) == kindSession {
		out.Stat.EphemeralOwner = owner
	}
	out.HasStat = true
	t.countCreated(b.Path, parentPath, b.Path[slash+1:], len(b.Data))
	r.change(proto.EventNodeCreated, b.Path, acl)
	r.change(proto.EventNodeChildrenChanged, watchPath(parentPath), t.ACLID(parent))
}

// adoptParent notes a create in the parent. The cversion comes with the
// transaction, but for those of before 3.4, which count up. One that is not
// larger belongs to a create that the snapshot's parent has seen already.
func (t *Tree) adoptParent(parent Node, path string, cversion int32, zxid int64) {
	h := t.headerTable.edit(uint32(parent))
	d := t.editDir(h)
	if cversion == -1 {
		cversion = d.cversion + 1
	}
	if cversion > d.cversion {
		t.changeParent(parent, h, path, cversion, zxid)
	}
}

// createExisting deals with a znode that is there already because the snapshot
// is from after the transaction: it keeps its data, which later transactions
// set, but gets the list, which the snapshot may not have written, and the
// parent catches up.
func (t *Tree) createExisting(n, parent Node, parentPath string, acl uint32, zxid int64, cversion int32) {
	h := t.headerTable.edit(uint32(n))
	t.acls.release(h.acl)
	h.acl = acl
	if n != root {
		t.adoptParent(parent, parentPath, cversion, zxid)
	}
}

func (t *Tree) delete(path string, zxid int64, r *Result) proto.Code {
	slash := lastSlash(path)
	if slash < 0 || slash == len(path)-1 {
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

func (t *Tree) setData(hdr *txn.Header, b *txn.Body, r *Result, out *Outcome) {
	n := t.Find(b.Path)
	if n == 0 {
		out.Code = proto.NoNode
		return
	}
	t.forget(n)
	h := t.headerTable.edit(uint32(n))
	var old blob
	var stat blobStat
	t.open(h.blob, &old)
	old.stat(&stat)
	had := max(old.dataLen, 0)
	inDigest := counted(b.Path) && !t.opt.NoDigest
	if inDigest {
		t.digest -= t.digestOf(h)
		stat.crc = PrefixCRC(b.Path, b.Data)
	}
	stat.mzxid, stat.mtime, stat.version = hdr.Zxid, uint64(hdr.Time)&timeMask, b.Version
	t.replaceData(n, h, &stat, b.Data)
	if h.more&isExtra != 0 || !timeFits(hdr.Time) {
		t.editExtra(n, h).mtimeTop = topOf(hdr.Time)
	}
	if inDigest {
		t.digest += t.digestOf(h)
	}
	t.stat(h, &out.Stat)
	out.HasStat = true
	t.countData(b.Path, len(b.Data)-had)
	r.change(proto.EventNodeDataChanged, b.Path, h.acl)
}

func (t *Tree) setACL(b *txn.Body, out *Outcome) {
	n := t.Find(b.Path)
	if n == 0 {
		out.Code = proto.NoNode
		return
	}
	acl, err := t.acls.intern(b.ACL, t.mvcc.newest != 0)
	if err != nil {
		out.Code = proto.MarshallingError
		return
	}
	t.forget(n)
	h := t.headerTable.edit(uint32(n))
	t.acls.release(h.acl)
	h.acl = acl
	if inDigest := counted(b.Path) && !t.opt.NoDigest; inDigest {
		t.digest -= t.digestOf(h)
		defer func() { t.digest += t.digestOf(h) }()
	}
	if h.more&isExtra != 0 || b.Version != 0 {
		t.editExtra(n, h).aversion = b.Version
	}
	t.stat(h, &out.Stat)
	out.HasStat = true
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

// keep is n's path in the Result's memory.
func (r *Result) keep(t *Tree, n Node) string {
	from := len(r.paths)
	r.paths = t.appendPath(r.paths, n)
	return aliasString(r.paths[from:])
}

// aliasString views b as a string, valid as long as b is left alone.
func aliasString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
