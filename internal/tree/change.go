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
	h.crc = t.prefixOf("", data)
	t.digest += t.digestOf(h)
}

// addChild makes a znode below parent, whose digest it leaves alone: creating
// and loading differ there. acl is a use that the znode takes over.
func (t *Tree) addChild(parent Node, path string, data []byte, acl uint32, st *proto.StatPersisted) Node {
	return t.addChildAt(t.index.place(path), parent, path, data, acl, st)
}

func (t *Tree) addChildAt(pl place, parent Node, path string, data []byte, acl uint32, st *proto.StatPersisted) Node {
	n, h := t.link(parent, path, data, acl, st)
	h.crc = t.prefixOf(path, data)
	t.index.insert(pl, n)
	if counted(path) && !t.opt.NoDigest {
		t.digest += NodeDigest(h.crc, st)
	}
	return n
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

// fill sets what a new znode has of its own. h is zeroed.
func (t *Tree) fill(n Node, h *header, path, name string, data []byte, acl uint32, st *proto.StatPersisted) {
	h.czxid, h.mzxid, h.version, h.acl = st.Czxid, st.Mzxid, st.Version, acl
	h.setCtime(st.Ctime)
	h.setMtime(st.Mtime)
	h.blob = t.newBlob(name, data)
	t.markFresh(n)
	if st.Cversion != 0 || st.Pzxid != st.Czxid {
		id, d := t.dirTable.add()
		d.cversion, d.pzxid = st.Cversion, st.Pzxid
		h.dir = id
	}
	t.setOwned(n, h, st.EphemeralOwner, st.Aversion, st.Ctime, st.Mtime)
	t.count++
	t.dataSize += sizeOf(path, data)
}

// editDir is a znode's dir for changing it, made if there is none. h may be
// changed.
func (t *Tree) editDir(h *header) *dir {
	if h.dir != 0 {
		return t.dirTable.edit(h.dir)
	}
	id, d := t.dirTable.add()
	d.pzxid = h.czxid
	h.dir = id
	return d
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
	if h.extra != 0 {
		if e := t.extra(h.extra); e.owner != 0 {
			t.disown(h.extra, e)
		}
		t.extraTable.remove(h.extra)
	}
	if h.dir != 0 {
		t.dirTable.remove(h.dir)
	}
	t.dropBlob(n, h.blob)
	t.headerTable.remove(uint32(n))
}

// unlink takes n out of its parent's children.
func (t *Tree) unlink(n Node, h *header) {
	d := t.dirTable.edit(t.header(h.parent).dir)
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

// replaceData gives a znode other data. h may be changed.
func (t *Tree) replaceData(n Node, h *header, data []byte) {
	_, nameLen, dataLen, off := t.lengths(h.blob)
	had := off + nameLen + max(dataLen, 0)
	t.dataSize += int64(len(data) - max(dataLen, 0))
	name := aliasString(t.name(h.blob))
	want := sizeOfBlob(name, data)
	if t.mvcc.newest != 0 && !t.isFresh(n) || slab.Size(had) != slab.Size(want) || off != want-nameLen-len(data) {
		old := h.blob
		h.blob = t.newBlob(name, data)
		t.retireBlob(n, old, had)
		t.markFresh(n)
		return
	}
	writeBlob(t.slab.Bytes(h.blob, want), name, data)
}

func (t *Tree) dropBlob(n Node, r slab.Ref) { t.retireBlob(n, r, t.blobSize(r)) }

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
		t.headerTable.info[n/pageLen].fresh |= 1 << (n % pageLen)
	}
}

// isFresh tells whether n's blob is known to be unseen by any View, once n's
// header was edited.
func (t *Tree) isFresh(n Node) bool {
	return t.headerTable.info[n/pageLen].fresh&(1<<(n%pageLen)) != 0
}
