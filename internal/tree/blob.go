package tree

import (
	"encoding/binary"
	"unsafe"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/slab"
)

// A blob holds what a znode gets when it is created, and what setting its data
// changes:
//
//	 0  czxid 8 | checksum 4 | ctime 6
//	18  length of the name times two, plus one if modified: uvarint
//	    length of the data plus one, 0 for null: uvarint
//	    mzxid 8 | mtime 6 | version 4, if modified
//	    name | data
//
// A znode is modified unless its mzxid, mtime and version are those of its
// creation. Numbers are little-endian; of times the low 48 bits stand here, see
// extra. The checksum is PrefixCRC of path and data, 0 below /zookeeper/.
const (
	fixedLen    = 18
	modifiedLen = 18
)

// blobStat is the part of a znode's stat that its blob holds.
type blobStat struct {
	czxid, mzxid int64
	ctime, mtime uint64 // 48 bits
	version      int32
	crc          uint32
}

func (s *blobStat) modified() bool {
	return s.mzxid != s.czxid || s.mtime != s.ctime || s.version != 0
}

const timeMask = 1<<48 - 1

func newBlobStat(st *proto.StatPersisted, crc uint32) blobStat {
	return blobStat{czxid: st.Czxid, mzxid: st.Mzxid, ctime: uint64(st.Ctime) & timeMask, mtime: uint64(st.Mtime) & timeMask,
		version: st.Version, crc: crc}
}

// blob is an opened blob.
type blob struct {
	p        unsafe.Pointer
	nameOff  int
	nameLen  int
	dataLen  int // -1: null
	modified bool
}

// open fills what its caller holds: a struct returned would be written in small
// parts and copied at once, for which processors wait.
func (v *version) open(r slab.Ref, b *blob) {
	p := v.mem.Pointer(r)
	names, data := int(*(*byte)(unsafe.Add(p, fixedLen))), int(*(*byte)(unsafe.Add(p, fixedLen+1)))
	off := fixedLen + 2
	if names|data >= 0x80 {
		names, off = uvarint(p, fixedLen)
		data, off = uvarint(p, off)
	}
	b.p = p
	b.nameOff = off + names&1*modifiedLen
	b.nameLen = names >> 1
	b.dataLen = data - 1
	b.modified = names&1 != 0
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

func (b *blob) name() []byte { return unsafe.Slice((*byte)(unsafe.Add(b.p, b.nameOff)), b.nameLen) }

// data is nil for null. Its capacity is its length.
func (b *blob) data() []byte {
	if b.dataLen < 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Add(b.p, b.nameOff+b.nameLen)), b.dataLen)
}

// size is what the blob was asked for with.
func (b *blob) size() int { return b.nameOff + b.nameLen + max(b.dataLen, 0) }

// crc is where the checksum stands.
func (b *blob) crc() *uint32 { return (*uint32)(unsafe.Add(b.p, 8)) }

// czxid is the first thing in a blob.
func (b *blob) czxid() int64 { return int64(binary.LittleEndian.Uint64((*[8]byte)(b.p)[:])) }

// stat fills s.
func (b *blob) stat(s *blobStat) {
	f := (*[fixedLen]byte)(b.p)
	le := binary.LittleEndian
	s.czxid = int64(le.Uint64(f[0:]))
	s.crc = *b.crc()
	s.ctime = uint64(le.Uint32(f[12:])) | uint64(le.Uint16(f[16:]))<<32
	s.mzxid, s.mtime, s.version = s.czxid, s.ctime, 0
	if !b.modified {
		return
	}
	m := (*[modifiedLen]byte)(unsafe.Add(b.p, b.nameOff-modifiedLen))
	s.mzxid = int64(le.Uint64(m[0:]))
	s.mtime = uint64(le.Uint32(m[8:])) | uint64(le.Uint16(m[12:]))<<32
	s.version = int32(le.Uint32(m[14:]))
}

func (v *version) name(r slab.Ref) []byte {
	var b blob
	v.open(r, &b)
	return b.name()
}

func (v *version) nameLen(r slab.Ref) int {
	var b blob
	v.open(r, &b)
	return b.nameLen
}

func (v *version) data(r slab.Ref) []byte {
	var b blob
	v.open(r, &b)
	return b.data()
}

func (v *version) dataLen(r slab.Ref) int {
	var b blob
	v.open(r, &b)
	return max(b.dataLen, 0)
}

// lengthFields is what a blob says of the lengths of its name and data.
func lengthFields(name string, data []byte, modified bool) (uint, uint) {
	n, d := uint(len(name))*2, uint(0)
	if modified {
		n++
	}
	if data != nil {
		d = uint(len(data)) + 1
	}
	return n, d
}

// layOut tells where the name of such a blob stands, and the blob's size.
func layOut(name string, data []byte, modified bool) (nameOff, size int) {
	n, d := lengthFields(name, data, modified)
	off := fixedLen + 2
	if n|d >= 0x80 {
		off = fixedLen + uvarintLen(n) + uvarintLen(d)
	}
	if modified {
		off += modifiedLen
	}
	return off, off + len(name) + len(data)
}

func uvarintLen(x uint) int {
	n := 1
	for ; x >= 0x80; x >>= 7 {
		n++
	}
	return n
}

// writeBlob fills b, as long as layOut says. name may alias b itself at the
// place where it stands.
func writeBlob(b []byte, s *blobStat, name string, data []byte) {
	le := binary.LittleEndian
	modified := s.modified()
	le.PutUint64(b[0:], uint64(s.czxid))
	*(*uint32)(unsafe.Pointer(&b[8])) = s.crc // in the machine's order, see crc
	le.PutUint32(b[12:], uint32(s.ctime))
	le.PutUint16(b[16:], uint16(s.ctime>>32))
	n, d := lengthFields(name, data, modified)
	if n|d < 0x80 {
		b[fixedLen], b[fixedLen+1] = byte(n), byte(d)
		b = b[fixedLen+2:]
	} else {
		off := fixedLen + binary.PutUvarint(b[fixedLen:], uint64(n))
		off += binary.PutUvarint(b[off:], uint64(d))
		b = b[off:]
	}
	if modified {
		le.PutUint64(b[0:], uint64(s.mzxid))
		le.PutUint32(b[8:], uint32(s.mtime))
		le.PutUint16(b[12:], uint16(s.mtime>>32))
		le.PutUint32(b[14:], uint32(s.version))
		b = b[modifiedLen:]
	}
	copy(b, name)
	copy(b[len(name):], data)
}

func (t *Tree) newBlob(s *blobStat, name string, data []byte) slab.Ref {
	_, size := layOut(name, data, s.modified())
	r := t.slab.Alloc(size)
	writeBlob(t.slab.Bytes(r, size), s, name, data)
	return r
}
