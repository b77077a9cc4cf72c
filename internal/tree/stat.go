package tree

import (
	"encoding/binary"

	"github.com/quollhq/quoll/internal/proto"
)

// persistedOf reads the stat that disk and digest know.
func (v *version) persistedOf(h *header, b *blob, st *proto.StatPersisted) {
	var s blobStat
	b.stat(&s)
	st.Czxid, st.Mzxid, st.Pzxid = s.czxid, s.mzxid, s.czxid
	st.Ctime, st.Mtime = int64(s.ctime), int64(s.mtime)
	st.Version, st.Cversion, st.Aversion, st.EphemeralOwner = s.version, 0, 0, 0
	if h.more == 0 {
		return
	}
	if d := v.dirOf(h); d != nil {
		st.Cversion, st.Pzxid = d.cversion, d.pzxid
	}
	if x := v.extraOf(h); x != nil {
		st.Aversion, st.EphemeralOwner = x.aversion, x.owner
		st.Ctime, st.Mtime = withTop(st.Ctime, x.ctimeTop), withTop(st.Mtime, x.mtimeTop)
	}
}

// stat reads the stat that clients see.
func (v *version) stat(h *header, st *proto.Stat) {
	var b blob
	var p proto.StatPersisted
	v.open(h.blob, &b)
	v.persistedOf(h, &b, &p)
	v.clientStat(h, &p, max(b.dataLen, 0), st)
}

// clientStat is what clients see of a znode whose persisted stat is p.
func (v *version) clientStat(h *header, p *proto.StatPersisted, dataLen int, st *proto.Stat) {
	st.Czxid, st.Mzxid, st.Pzxid, st.Ctime, st.Mtime = p.Czxid, p.Mzxid, p.Pzxid, p.Ctime, p.Mtime
	st.Version, st.Cversion, st.Aversion, st.EphemeralOwner = p.Version, p.Cversion, p.Aversion, 0
	st.DataLength, st.NumChildren = int32(dataLen), 0
	if h.more == 0 {
		return
	}
	if d := v.dirOf(h); d != nil {
		st.NumChildren = int32(d.children)
		// Disk counts creates. Clients count changes: for each create there was
		// a delete, but for the children that are still there.
		st.Cversion = d.cversion*2 - int32(d.children)
	}
	if v.opt.kindOf(p.EphemeralOwner) == kindSession {
		st.EphemeralOwner = p.EphemeralOwner
	}
}

// Stat is what a client sees of n.
func (t *Tree) Stat(n Node) proto.Stat {
	var st proto.Stat
	t.stat(t.header(n), &st)
	return st
}

// AppendStat appends the encoded Stat of n, proto.StatLen bytes.
func (t *Tree) AppendStat(b []byte, n Node) []byte {
	var st proto.Stat
	t.stat(t.header(n), &st)
	b = grow(b, proto.StatLen)
	putStat((*[proto.StatLen]byte)(b[len(b)-proto.StatLen:]), &st)
	return b
}

func putStat(b *[proto.StatLen]byte, st *proto.Stat) {
	be := binary.BigEndian
	be.PutUint64(b[0:], uint64(st.Czxid))
	be.PutUint64(b[8:], uint64(st.Mzxid))
	be.PutUint64(b[16:], uint64(st.Ctime))
	be.PutUint64(b[24:], uint64(st.Mtime))
	be.PutUint32(b[32:], uint32(st.Version))
	be.PutUint32(b[36:], uint32(st.Cversion))
	be.PutUint32(b[40:], uint32(st.Aversion))
	be.PutUint64(b[44:], uint64(st.EphemeralOwner))
	be.PutUint32(b[52:], uint32(st.DataLength))
	be.PutUint32(b[56:], uint32(st.NumChildren))
	be.PutUint64(b[60:], uint64(st.Pzxid))
}

// Meta is what validating a change of a znode needs to know of it.
type Meta struct {
	proto.StatPersisted
	PathDataCRC uint32 // PrefixCRC of its path and data; 0 below /zookeeper/
	ACL         uint32
	NumChildren int32
	DataLength  int32
}

// Meta is what validating a change of n needs to know.
func (t *Tree) Meta(n Node) Meta {
	h := t.header(n)
	var b blob
	var m Meta
	t.open(h.blob, &b)
	m.PathDataCRC, m.ACL, m.DataLength = *b.crc(), h.acl, int32(max(b.dataLen, 0))
	t.persistedOf(h, &b, &m.StatPersisted)
	if d := t.dirOf(h); d != nil {
		m.NumChildren = int32(d.children)
	}
	return m
}
