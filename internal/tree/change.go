package tree

import (
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/slab"
)

// addRoot makes the root of a tree without znodes.
func (t *Tree) addRoot(data []byte, acl uint32, st *proto.StatPersisted) {
	n, h := t.headerTable.add()
	if Node(n) != root {
		panic("tree: the root is not the first znode")
	}
	t.fill(root, h, "", "", data, acl, st)
	if !t.opt.NoDigest {
		t.digest += t.setChecksum(h, PrefixCRC("", data), st)
	}
}

// addChild makes a znode below parent, whose digest it leaves alone: creating
// and loading differ there. acl is a use that the znode takes over.
func (t *Tree) addChild(parent Node, path string, data []byte, acl uint32, st *proto.StatPersisted) Node {
	n, h := t.link(parent, path, data, acl, st)
	t.index.insert(t.index.place(path), n)
	if counted(path) && !t.opt.NoDigest {
		t.digest += t.setChecksum(h, PrefixCRC(path, data), st)
	}
	return n
}

// setChecksum sets the checksum of a counted znode and returns its digest.
func (t *Tree) setChecksum(h *header, crc uint32, st *proto.StatPersisted) uint64 {
	var b blob
	t.open(h.blob, &b)
	*b.crc() = crc
	return NodeDigest(crc, st)
}

// link makes a znode that is in neither the index nor the digest.
func (t *Tree) link(parent Node, path string, data []byte, acl uint32, st *proto.StatPersisted) (Node, *header) {
	id, h := t.headerTable.add()
	n := Node(id)
	name := path[lastSlash(path)+1:]
	t.fill(n, h, path, name, data, acl, st)
	h.parent = parent
	d := t.editDir(t.headerTable.edit(uint32(parent)))
	if h.prev = d.last; d.last != 0 {
		t.headerTable.edit(uint32(d.last)).next = n
	} else {
		d.first = n
	}
	d.last = n
	d.children++
	d.nameBytes += int64(len(name))
	return n, h
}

// fill sets what a new znode has of its own, but for its checksum. h is zeroed.
func (t *Tree) fill(n Node, h *header, path, name string, data []byte, acl uint32, st *proto.StatPersisted) {
	s := newBlobStat(st, 0)
	h.acl, h.blob = acl, t.newBlob(&s, name, data)
	t.markFresh(n)
	if st.Cversion != 0 || st.Pzxid != st.Czxid {
		d := t.editDir(h)
		d.cversion, d.pzxid = st.Cversion, st.Pzxid
	}
	if st.EphemeralOwner != 0 || st.Aversion != 0 || !timeFits(st.Ctime) || !timeFits(st.Mtime) {
		x := t.editExtra(n, h)
		x.owner, x.aversion = st.EphemeralOwner, st.Aversion
		x.ctimeTop, x.mtimeTop = topOf(st.Ctime), topOf(st.Mtime)
		if x.owner != 0 {
			t.own(h.more&^isExtra, x)
		}
	}
	t.count++
	t.dataSize += sizeOf(path, data)
}

// editDir is a znode's dir for changing it, made if there is none. h may be
// changed.
func (t *Tree) editDir(h *header) *dir {
	if h.more&isExtra == 0 {
		if h.more != 0 {
			return t.dirTable.edit(h.more)
		}
		id, d := t.newDir(h)
		h.more = id
		return d
	}
	if x := t.extra(h.more &^ isExtra); x.dir != 0 {
		return t.dirTable.edit(x.dir)
	}
	id, d := t.newDir(h)
	t.extraTable.edit(h.more &^ isExtra).dir = id
	return d
}

func (t *Tree) newDir(h *header) (uint32, *dir) {
	id, d := t.dirTable.add()
	var b blob
	t.open(h.blob, &b)
	d.pzxid = b.czxid()
	return id, d
}

// editExtra is n's extra for changing it, made if there is none. h may be
// changed.
func (t *Tree) editExtra(n Node, h *header) *extra {
	if h.more&isExtra != 0 {
		return t.extraTable.edit(h.more &^ isExtra)
	}
	id, x := t.extraTable.add()
	x.node, x.dir = n, h.more
	h.more = id | isExtra
	return x
}

// removeNode takes a znode without children out. The parent's digest is left
// alone.
func (t *Tree) removeNode(n Node, path string) {
	t.forget(n)
	h := t.headerTable.edit(uint32(n))
	if counted(path) {
		t.digest -= t.digestOf(h)
	}
	t.unlink(n, h)
	t.index.remove(t.index.place(path), n)
	t.count--
	t.dataSize -= sizeOf(path, t.data(h.blob))
	t.acls.release(h.acl)
	t.removeMore(h)
	var b blob
	t.open(h.blob, &b)
	t.retireBlob(n, h.blob, b.size())
	t.headerTable.remove(uint32(n))
}

// removeMore takes out the dir and the extra of a znode.
func (t *Tree) removeMore(h *header) {
	d := h.more
	if x := t.extraOf(h); x != nil {
		d = x.dir
		if x.owner != 0 {
			t.disown(x)
		}
		t.extraTable.remove(h.more &^ isExtra)
	}
	if d != 0 {
		t.dirTable.remove(d)
	}
}

// unlink takes n out of its parent's children.
func (t *Tree) unlink(n Node, h *header) {
	d := t.editDir(t.header(h.parent)) // which has one, so that the header stays as it is
	if h.prev != 0 {
		t.headerTable.edit(uint32(h.prev)).next = h.next
	} else {
		d.first = h.next
	}
	if h.next != 0 {
		t.headerTable.edit(uint32(h.next)).prev = h.prev
	} else {
		d.last = h.prev
	}
	d.children--
	d.nameBytes -= int64(t.nameLen(h.blob))
}

// replaceData gives a znode other data, and a stat to its blob. h may be
// changed.
func (t *Tree) replaceData(n Node, h *header, s *blobStat, data []byte) {
	var b blob
	t.open(h.blob, &b)
	t.dataSize += int64(len(data) - max(b.dataLen, 0))
	name := aliasString(b.name())
	off, size := layOut(name, data, s.modified())
	if seen := t.mvcc.newest != 0 && !t.isFresh(n); seen || off != b.nameOff || slab.Size(size) != slab.Size(b.size()) {
		old := h.blob
		h.blob = t.newBlob(s, name, data)
		t.retireBlob(n, old, b.size())
		t.markFresh(n)
		return
	}
	writeBlob(t.slab.Bytes(h.blob, size), s, name, data)
}

// retireBlob frees a blob of n as soon as no View sees it.
func (t *Tree) retireBlob(n Node, r slab.Ref, size int) {
	born := uint32(0)
	if t.isFresh(n) {
		born = t.mvcc.epoch
	}
	t.mvcc.retire(t.slab, r, size, born)
}

// markFresh notes that n's blob is as new as the copy of its header's page, so
// that no View sees it. Without Views nothing needs to be noted: the next one
// makes all pages old.
func (t *Tree) markFresh(n Node) {
	if t.mvcc.newest != 0 {
		t.headerTable.info.at(uint32(n / pageLen)).fresh |= 1 << (n % pageLen)
	}
}

// isFresh tells whether n's blob is known to be unseen by any View, once n's
// header was edited.
func (t *Tree) isFresh(n Node) bool {
	return t.headerTable.info.at(uint32(n/pageLen)).fresh&(1<<(n%pageLen)) != 0
}
