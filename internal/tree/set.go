package tree

import (
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
)

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
