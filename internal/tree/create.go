package tree

import (
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
)

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

func (t *Tree) create(hdr *txn.Header, b *txn.Body, owner int64, k Known, r *Result, out *Outcome) {
	slash, ok := splitAt(b.Path)
	if !ok && b.Path != "/" {
		out.Code = proto.BadArguments
		return
	}
	// First of all the index is asked for the path: the processor can go on with
	// the parent while it waits for an answer that is nearly always no.
	pl := t.index.place(b.Path)
	n := root
	if b.Path != "/" {
		n = t.find(pl, b.Path)
	}
	parentPath := b.Path[:slash]
	parent := t.node(parentPath, k)
	if parent == 0 {
		out.Code = proto.NoNode
		return
	}
	acl, err := t.acls.intern(b.ACL, t.mvcc.newest != 0)
	if err != nil {
		out.Code = proto.MarshallingError
		return
	}
	if n != 0 {
		t.createExisting(n, parent, parentPath, acl, hdr.Zxid, b.ParentCversion)
		out.Code = proto.NodeExists
		return
	}
	t.adoptParent(parent, parentPath, b.ParentCversion, hdr.Zxid)
	t.bear(pl, parent, hdr, b, acl, owner, k, out)
	t.countCreated(b.Path, parentPath, b.Path[slash+1:], len(b.Data))
	r.change(proto.EventNodeCreated, b.Path, acl)
	r.change(proto.EventNodeChildrenChanged, watchPath(parentPath), t.ACLID(parent))
}

// bear makes the znode.
func (t *Tree) bear(pl place, parent Node, hdr *txn.Header, b *txn.Body, acl uint32, owner int64, k Known, out *Outcome) {
	st := proto.StatPersisted{Czxid: hdr.Zxid, Mzxid: hdr.Zxid, Pzxid: hdr.Zxid, Ctime: hdr.Time, Mtime: hdr.Time,
		EphemeralOwner: owner}
	n, h := t.link(parent, b.Path, b.Data, acl, &st)
	t.index.insert(pl, n)
	if counted(b.Path) && !t.opt.NoDigest {
		t.digest += t.setChecksum(h, k.crc(b.Path, b.Data), &st)
	}
	s := &out.Stat // filled in place: processors wait for a struct that is copied right after it was made
	*s = proto.Stat{}
	s.Czxid, s.Mzxid, s.Pzxid, s.Ctime, s.Mtime = hdr.Zxid, hdr.Zxid, hdr.Zxid, hdr.Time, hdr.Time
	s.DataLength = int32(len(b.Data))
	if t.opt.kindOf(owner) == kindSession {
		s.EphemeralOwner = owner
	}
	out.HasStat = true
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
