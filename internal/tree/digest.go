package tree

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
	"strings"

	"github.com/quollhq/quoll/internal/proto"
)

// The digest of a znode is the CRC-32 of its path, its data and its persisted
// stat; that of the tree is the sum of its znodes' digests, without those below
// /zookeeper/, some of which each server keeps for itself.

const uncounted = "/zookeeper/"

// counted tells whether the znode with this path is part of the digest.
func counted(path string) bool { return !strings.HasPrefix(path, uncounted) }

// PrefixCRC is what NodeDigest needs to know of a znode's path and data: their
// CRC-32. The root's path counts as empty.
func PrefixCRC(path string, data []byte) uint32 {
	if path == "/" {
		path = ""
	}
	s := feedBytes(^uint32(0), stringBytes(path))
	if len(data) >= foldFrom {
		n := len(data) &^ 15
		s = ^crc32.Update(^s, crc32.IEEETable, data[:n])
		data = data[n:]
	}
	return ^feedBytes(s, data)
}

// foldFrom is the length from which the processor's instructions, which the
// library uses for whole 16 bytes, are faster than tables.
const foldFrom = 64

// feedBytes continues the checksum's state over b.
func feedBytes(s uint32, b []byte) uint32 {
	t := &feed
	for ; len(b) >= 8; b = b[8:] {
		a := binary.LittleEndian.Uint64(b) ^ uint64(s)
		s = t[7][a&0xff] ^ t[6][a>>8&0xff] ^ t[5][a>>16&0xff] ^ t[4][a>>24&0xff] ^
			t[3][a>>32&0xff] ^ t[2][a>>40&0xff] ^ t[1][a>>48&0xff] ^ t[0][a>>56]
	}
	if len(b) >= 4 {
		a := binary.LittleEndian.Uint32(b) ^ s
		s = t[3][a&0xff] ^ t[2][a>>8&0xff] ^ t[1][a>>16&0xff] ^ t[0][a>>24]
		b = b[4:]
	}
	for _, v := range b {
		s = t[0][byte(s)^v] ^ s>>8
	}
	return s
}

// NodeDigest is the digest of a znode: prefix continued over the 60 bytes of
// the stat. They are taken as numbers, 16 bytes at a time, since writing them
// out to read them again would take longer than the checksum.
func NodeDigest(prefix uint32, st *proto.StatPersisted) uint64 {
	s := ^prefix
	s = feed16(s, uint64(st.Czxid), uint64(st.Mzxid))
	s = feed16(s, uint64(st.Pzxid), uint64(st.Ctime))
	s = feed16(s, uint64(st.Mtime), uint64(uint32(st.Version))<<32|uint64(uint32(st.Cversion)))
	s = feed12(s, uint32(st.Aversion), uint64(st.EphemeralOwner))
	return uint64(^s)
}

// DigestOf is what a znode adds to the tree's digest; path "" is the root's.
func DigestOf(path string, data []byte, st *proto.StatPersisted) uint64 {
	if !counted(path) {
		return 0
	}
	return NodeDigest(PrefixCRC(path, data), st)
}

// feed16 continues the checksum's state over a and b, big end first.
func feed16(s uint32, a, b uint64) uint32 {
	a = bits.ReverseBytes64(a) ^ uint64(s)
	b = bits.ReverseBytes64(b)
	t := &feed
	return t[15][a&0xff] ^ t[14][a>>8&0xff] ^ t[13][a>>16&0xff] ^ t[12][a>>24&0xff] ^
		t[11][a>>32&0xff] ^ t[10][a>>40&0xff] ^ t[9][a>>48&0xff] ^ t[8][a>>56] ^
		t[7][b&0xff] ^ t[6][b>>8&0xff] ^ t[5][b>>16&0xff] ^ t[4][b>>24&0xff] ^
		t[3][b>>32&0xff] ^ t[2][b>>40&0xff] ^ t[1][b>>48&0xff] ^ t[0][b>>56]
}

// feed12 continues the checksum's state over a and b, big end first.
func feed12(s, a uint32, b uint64) uint32 {
	a = bits.ReverseBytes32(a) ^ s
	b = bits.ReverseBytes64(b)
	t := &feed
	return t[11][a&0xff] ^ t[10][a>>8&0xff] ^ t[9][a>>16&0xff] ^ t[8][a>>24] ^
		t[7][b&0xff] ^ t[6][b>>8&0xff] ^ t[5][b>>16&0xff] ^ t[4][b>>24&0xff] ^
		t[3][b>>32&0xff] ^ t[2][b>>40&0xff] ^ t[1][b>>48&0xff] ^ t[0][b>>56]
}

// feed[k][v] is the state after the byte v and k zeros, from the state zero.
var feed = makeFeed()

func makeFeed() (t [16][256]uint32) {
	t[0] = *crc32.IEEETable
	for k := 1; k < len(t); k++ {
		for v := range t[k] {
			s := t[k-1][v]
			t[k][v] = crc32.IEEETable[s&0xff] ^ s>>8
		}
	}
	return t
}

// digestOf is the digest of a counted znode.
func (t *Tree) digestOf(h *header) uint64 {
	if t.opt.NoDigest {
		return 0
	}
	var st proto.StatPersisted
	var b blob
	t.open(h.blob, &b)
	t.persistedOf(h, &b, &st)
	return NodeDigest(*b.crc(), &st)
}

// memo remembers the digest of the znode below which something was created or
// deleted last, since the next one is often its sibling.
type memo struct {
	node   Node
	digest uint64
}

// changeParent changes a dir, made if there is none, and keeps the digest.
func (t *Tree) changeParent(n Node, h *header, path string, cversion int32, pzxid int64) {
	d := t.editDir(h)
	if !counted(path) || t.opt.NoDigest {
		d.cversion, d.pzxid = cversion, pzxid
		return
	}
	before := t.memo.digest
	if t.memo.node != n {
		before = t.digestOf(h)
	}
	d.cversion, d.pzxid = cversion, pzxid
	t.memo = memo{n, t.digestOf(h)}
	t.digest += t.memo.digest - before
}

// forget is called before a znode is changed or removed in another way.
func (t *Tree) forget(n Node) {
	if t.memo.node == n {
		t.memo = memo{}
	}
}

func (t *Tree) prefixOf(path string, data []byte) uint32 {
	if t.opt.NoDigest || !counted(path) {
		return 0
	}
	return PrefixCRC(path, data)
}
