package tree

import (
	"encoding/binary"
	"unsafe"

	"github.com/quollhq/quoll/internal/slab"
)

// A blob holds a znode's name and data:
//
//	length of the name: uvarint | length of the data plus one, 0 for null: uvarint | name | data

// maxPrefix bounds the two lengths of a blob.
const maxPrefix = 2 * binary.MaxVarintLen32

// lengths reads a blob's lengths and where its name begins. dataLen is -1 for
// null.
func (v *version) lengths(r slab.Ref) (p unsafe.Pointer, nameLen, dataLen, off int) {
	p = v.mem.Pointer(r)
	nameLen = int(*(*byte)(p))
	dataLen = int(*(*byte)(unsafe.Add(p, 1)))
	if nameLen|dataLen < 0x80 {
		return p, nameLen, dataLen - 1, 2
	}
	nameLen, off = uvarint(p, 0)
	dataLen, off = uvarint(p, off)
	return p, nameLen, dataLen - 1, off
}

func uvarint(p unsafe.Pointer, off int) (int, int) {
	x := 0
	for shift := 0; ; shift += 7 {
		b := *(*byte)(unsafe.Add(p, off))
		off++
		x |= int(b&0x7f) << shift
		if b < 0x80 {
			return x, off
		}
	}
}

func (v *version) name(r slab.Ref) []byte {
	p, n, _, off := v.lengths(r)
	return unsafe.Slice((*byte)(unsafe.Add(p, off)), n)
}

func (v *version) nameLen(r slab.Ref) int {
	_, n, _, _ := v.lengths(r)
	return n
}

// data is nil for null. Its capacity is its length.
func (v *version) data(r slab.Ref) []byte {
	p, n, d, off := v.lengths(r)
	if d < 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Add(p, off+n)), d)
}

func (v *version) dataLen(r slab.Ref) int {
	_, _, d, _ := v.lengths(r)
	return max(d, 0)
}

// blobSize is what a blob was asked for with.
func (v *version) blobSize(r slab.Ref) int {
	_, n, d, off := v.lengths(r)
	return off + n + max(d, 0)
}

func sizeOfBlob(name string, data []byte) int {
	d := lengthField(data)
	if len(name)|d < 0x80 {
		return 2 + len(name) + len(data)
	}
	return uvarintLen(len(name)) + uvarintLen(d) + len(name) + len(data)
}

func uvarintLen(x int) int {
	n := 1
	for ; x >= 0x80; x >>= 7 {
		n++
	}
	return n
}

// writeBlob fills b, whose length is sizeOfBlob. name may alias b itself at the
// place where it stands.
func writeBlob(b []byte, name string, data []byte) {
	d := lengthField(data)
	if len(name)|d < 0x80 {
		b[0], b[1] = byte(len(name)), byte(d)
		b = b[2:]
	} else {
		off := binary.PutUvarint(b, uint64(len(name)))
		off += binary.PutUvarint(b[off:], uint64(d))
		b = b[off:]
	}
	copy(b, name)
	copy(b[len(name):], data)
}

// lengthField is what a blob says of the length of its data.
func lengthField(data []byte) int {
	if data == nil {
		return 0
	}
	return len(data) + 1
}

func (t *Tree) newBlob(name string, data []byte) slab.Ref {
	size := sizeOfBlob(name, data)
	r := t.slab.Alloc(size)
	writeBlob(t.slab.Bytes(r, size), name, data)
	return r
}
