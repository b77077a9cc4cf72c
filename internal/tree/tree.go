package tree

import (
	"unicode/utf8"
	"unsafe"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/slab"
)

// The znodes that every tree begins with, beside the root.
const (
	ProcPath   = "/zookeeper"
	QuotaPath  = "/zookeeper/quota"
	ConfigPath = "/zookeeper/config"
)

// Options say what the tree's owners mean and what it computes. All servers of
// an ensemble should agree on them.
type Options struct {
	// ExtendedTypes makes owners with the top byte 0xff mark znodes with a time
	// to live, instead of sessions.
	ExtendedTypes bool
	// Emulate353TTL makes all negative owners but the container's mark a time
	// to live, as ZooKeeper 3.5.3 wrote them. It counts only with ExtendedTypes.
	Emulate353TTL bool
	// NoDigest leaves out the digest: it is 0, and no transaction is compared.
	NoDigest bool

	poison bool // overwrite what is freed; for tests
}

// Tree is the state machine. See the package's comment for its locks.
type Tree struct {
	lock lock
	state
}

// state is what Swap exchanges.
type state struct {
	version // the current one

	slab        *slab.Slab
	index       *index
	mvcc        mvcc
	headerTable table[header]
	dirTable    table[dir]
	extraTable  table[extra]
	acls        acls
	owners      owners
	quotas      map[string]struct{} // paths that have limits

	count    int
	dataSize int64 // see ApproximateDataSize
	zxid     int64
	digest   uint64
	memo     memo
	fuzzy    fuzzy
	closing  bool // memory is given back when the last View is closed
}

// New makes a tree with the root, /zookeeper, /zookeeper/quota and
// /zookeeper/config. At most one Options may be given.
func New(options ...Options) *Tree {
	t := newEmpty(options...)
	var st proto.StatPersisted
	t.addRoot([]byte{}, OpenACL, &st)
	t.addChild(root, ProcPath, []byte{}, OpenACL, &st)
	proc := t.Find(ProcPath)
	t.addChild(proc, QuotaPath, []byte{}, OpenACL, &st)
	t.AddConfigNode()
	return t
}

func newEmpty(options ...Options) *Tree {
	t := &Tree{lock: lock{left: make(chan struct{}, 1)}, state: state{slab: slab.New(), acls: newACLs(), owners: newOwners(), quotas: make(map[string]struct{})}}
	if len(options) > 0 {
		t.opt = options[0]
	}
	if t.opt.poison {
		t.slab = slab.NewPoisoned()
	}
	t.mem = &t.slab.Reader
	t.index = newIndex(t.slab)
	t.mvcc.epoch = 1
	t.headerTable.slab, t.dirTable.slab, t.extraTable.slab = t.slab, t.slab, t.slab
	t.wire()
	return t
}

// wire points the tables at the tree that they are part of.
func (t *Tree) wire() {
	t.headerTable.pages, t.headerTable.mvcc = &t.headers, &t.mvcc
	t.dirTable.pages, t.dirTable.mvcc = &t.dirs, &t.mvcc
	t.extraTable.pages, t.extraTable.mvcc = &t.extras, &t.mvcc
}

// readACL lets everybody read.
func readACL() []proto.ACL {
	return []proto.ACL{{Perms: proto.PermRead, Scheme: "world", ID: "anyone"}}
}

// AddConfigNode adds /zookeeper/config to a tree that comes from a time when
// there was none; anybody may read it. The caller holds Lock, unless nobody
// else has the tree so far.
func (t *Tree) AddConfigNode() {
	proc := t.Find(ProcPath)
	if proc == 0 || t.Find(ConfigPath) != 0 {
		return
	}
	acl, err := t.acls.intern(proto.AppendACLs(nil, readACL()), t.mvcc.newest != 0)
	if err != nil {
		panic(err) // it was encoded one line above
	}
	t.addChild(proc, ConfigPath, []byte{}, acl, &proto.StatPersisted{Aversion: -1})
}

// Close gives the tree's memory back, once its Views are closed. The tree must
// not be used after that.
func (t *Tree) Close() {
	t.Lock()
	defer t.Unlock()
	if t.closing = true; len(t.mvcc.views) == 0 {
		t.giveBack()
	}
}

func (t *Tree) giveBack() {
	t.slab.Close()
	t.headers, t.dirs, t.extras = nil, nil, nil
	t.index = nil
}

// Swap exchanges what two trees hold, so that who has t need not be told of
// another tree. The caller holds Lock of t, and no lock of o. Views show on what
// they did.
func (t *Tree) Swap(o *Tree) {
	o.Lock()
	defer o.Unlock()
	t.state, o.state = o.state, t.state
	for _, x := range []*Tree{t, o} {
		x.wire()
		for _, v := range x.mvcc.views {
			v.t.Store(x)
		}
	}
}

// Zxid is that of the last transaction applied.
func (t *Tree) Zxid() int64 { return t.zxid }

// SetZxid moves the tree to a zxid that no transaction has, such as the begin of
// an epoch. The caller holds Lock.
func (t *Tree) SetZxid(zxid int64) { t.zxid = zxid }

// Digest is the sum of the digests of all znodes but those below /zookeeper/.
func (t *Tree) Digest() uint64 { return t.digest }

// NodeCount is how many znodes there are, with the root counted twice, as
// Apache's servers count it under two names.
func (t *Tree) NodeCount() int { return t.count + 1 }

// ApproximateDataSize is the total length of all paths, in UTF-16 units, and of
// all data, in bytes; with the root counted twice, as Apache's servers count it
// under two names.
func (t *Tree) ApproximateDataSize() int64 {
	return t.dataSize + 1 + int64(len(t.Data(root)))
}

// Usage is what the tree holds outside of Go's heap, in bytes.
func (t *Tree) Usage() slab.Usage { return t.slab.Usage() }

// sizeOf is what a znode adds to the data size.
func sizeOf(path string, data []byte) int64 { return int64(utf16Len(path) + len(data)) }

func utf16Len(s string) int {
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return n + utf16LenSlow(s[i:])
		}
		n++
	}
	return n
}

func utf16LenSlow(s string) int {
	n := 0
	for _, r := range s {
		if n++; r > 0xffff {
			n++
		}
	}
	return n
}

func stringBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
