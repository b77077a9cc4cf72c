package tree

import (
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
)

func (t *Tree) setData(hdr *txn.Header, b *txn.Body, k Known, r *Result, out *Outcome) {
	n := t.node(b.Path, k)
	if n == 0 {
		out.Code = proto.NoNode
		return
	}
	t.forget(n)
	h := t.headerTable.edit(uint32(n))
	var old blob
	var st proto.StatPersisted
	t.open(h.blob, &old)
	t.persistedOf(h, &old, &st)
	had := max(old.dataLen, 0)
	crc := uint32(0)
	inDigest := counted(b.Path) && !t.opt.NoDigest
	if inDigest {
		t.digest -= NodeDigest(*old.crc(), &st)
		crc = k.crc(b.Path, b.Data)
	}
	st.Mzxid, st.Mtime, st.Version = hdr.Zxid, hdr.Time, b.Version
	set := newBlobStat(&st, crc)
	t.replaceData(n, h, &set, b.Data)
	if h.more&isExtra != 0 || !timeFits(hdr.Time) {
		t.editExtra(n, h).mtimeTop = topOf(hdr.Time)
	}
	if inDigest {
		t.digest += NodeDigest(crc, &st)
	}
	t.clientStat(h, &st, len(b.Data), &out.Stat)
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
