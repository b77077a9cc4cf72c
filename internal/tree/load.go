package tree

import (
	"errors"
	"fmt"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
)

// ErrInvalid marks what a Loader was given and cannot be part of a tree: the
// snapshot is damaged, or was not written by a server.
var ErrInvalid = errors.New("invalid tree")

// Loader builds a tree from a snapshot. It is not safe for concurrent use.
type Loader struct {
	t       *Tree
	batch   *loadBatch
	worker  *loadWorker // nil: digests are computed by the caller's goroutine
	err     error
	ids     map[int64]uint32 // what the snapshot calls a list -> its number
	missing map[int64]uint32 // those that it does not have
	lastACL int64            // what was looked up last in ids
	lastNum uint32           // what was found
	last    Node             // znode added last
	path    []byte           // its path
	digest  fuzzy
}

// NewLoader makes a Loader of a tree with these options.
func NewLoader(options ...Options) *Loader {
	return &Loader{t: newEmpty(options...), batch: new(loadBatch), lastACL: OpenACLID, lastNum: OpenACL, ids: map[int64]uint32{OpenACLID: OpenACL}, missing: map[int64]uint32{}}
}

// AddACL tells what the snapshot calls an access control list. All lists come
// before the znodes.
func (l *Loader) AddACL(id int64, acl []proto.ACL) error {
	if id == OpenACLID {
		return fmt.Errorf("%w: access control list with the reserved number %d", ErrInvalid, id)
	}
	n, err := l.t.acls.intern(proto.AppendACLs(nil, acl), false)
	if err != nil {
		return err
	}
	if old, ok := l.ids[id]; ok {
		l.t.acls.release(old)
	}
	l.ids[id] = n
	l.lastACL, l.lastNum = OpenACLID, OpenACL
	return nil
}

// noPerms is the list of znodes whose own the snapshot does not have.
func noPerms() []proto.ACL { return []proto.ACL{{Scheme: "world", ID: "anyone"}} }

// acl is the number of a list, with one more use. Snapshots of Apache's servers
// write the lists first and znodes later, while lists come and go, so one may
// be missing; replaying the transactions since then gives the znode its list
// (ZOOKEEPER-4846). Until then nobody but the super user may use it.
func (l *Loader) acl(id int64) uint32 {
	if id != l.lastACL {
		l.lastACL, l.lastNum = id, l.number(id)
	}
	l.t.acls.use(l.lastNum)
	return l.lastNum
}

func (l *Loader) number(id int64) uint32 {
	n, ok := l.ids[id]
	if !ok {
		n, ok = l.missing[id]
	}
	if !ok {
		n, _ = l.t.acls.intern(proto.AppendACLs(nil, noPerms()), false)
		l.missing[id] = n
	}
	return n
}

// MissingACLs is how many access control lists znodes refer to that AddACL was
// not told of.
func (l *Loader) MissingACLs() int { return len(l.missing) }

// SetDigest tells the digest that the snapshot holds, and the zxid after which
// the tree has it. It is compared when that zxid is reached, at once or by
// Apply; until then no other digest is. A zxid of 0 or less is no digest, and
// one of another version than txn.DigestVersion is not compared.
func (l *Loader) SetDigest(zxid int64, version int32, digest uint64) {
	if zxid > 0 {
		l.digest = fuzzy{until: zxid, digest: digest, unknown: version != txn.DigestVersion}
	}
}

// AddNode adds a znode, after its parent; the root, whose path is "", comes
// first. data is nil if it is null. The error wraps ErrInvalid and stays; it
// may be about a znode added before.
func (l *Loader) AddNode(path string, data []byte, aclID int64, st *proto.StatPersisted) error {
	t := l.t
	if path == "" || t.count == 0 {
		return l.addRoot(path, data, aclID, st)
	}
	slash, ok := splitAt(path)
	if !ok {
		return l.fail(fmt.Errorf("%w: path %q of a znode", ErrInvalid, path))
	}
	parent := l.parent(path[:slash])
	if parent == 0 {
		return l.fail(fmt.Errorf("%w: parent of %q is missing; the snapshot is damaged or its znodes are out of order", ErrInvalid, path))
	}
	n, h := t.link(parent, path, data, l.acl(aclID), st)
	l.last = n
	l.path = append(l.path[:0], path...)
	if l.batch.add(t, n, h, path, st) {
		l.flush()
	}
	return l.err
}

// Expect makes room in the index for so many znodes in all: growing to that step by step takes
// a tenth of the time of loading. It may be wrong: at most expectMost times as many are
// believed as came so far, and Finish gives back what is far too much.
func (l *Loader) Expect(znodes int) {
	const expectMost = 4
	l.t.index.expect(min(znodes/5*4, expectMost*l.t.index.grower.n))
}

func (l *Loader) fail(err error) error {
	if l.err == nil {
		l.err = err
	}
	return l.err
}

func (l *Loader) addRoot(path string, data []byte, aclID int64, st *proto.StatPersisted) error {
	if path != "" {
		return l.fail(fmt.Errorf("%w: the first znode is %q, not the root", ErrInvalid, path))
	}
	if l.t.count != 0 {
		return l.fail(fmt.Errorf("%w: the root stands twice in the snapshot", ErrInvalid))
	}
	l.t.addRoot(data, l.acl(aclID), st)
	l.last = root
	return nil
}

// parent finds a znode that is the last one or above it, as it is where a
// snapshot goes depth first, else through the index.
func (l *Loader) parent(path string) Node {
	n, at := l.last, aliasString(l.path)
	for len(at) > len(path) {
		at = at[:lastSlash(at)]
		n = l.t.header(n).parent
	}
	if at == path {
		return n
	}
	l.flush()
	return l.t.Find(path)
}

// Finish is the tree after all znodes were added: its zxid is that of the
// snapshot. Its quotas are counted anew. mismatch says that the tree's digest
// is not what SetDigest said. The error wraps ErrInvalid.
func (l *Loader) Finish(zxid int64) (t *Tree, mismatch bool, err error) {
	t = l.t
	l.flush()
	l.stopWorker()
	if l.err != nil {
		return nil, false, l.err
	}
	if t.count == 0 {
		return nil, false, fmt.Errorf("%w: no znodes in the snapshot", ErrInvalid)
	}
	t.index.fit()
	t.zxid = zxid
	t.setUpQuotas()
	for _, n := range l.ids {
		t.acls.release(n)
	}
	for _, n := range l.missing {
		t.acls.release(n)
	}
	t.acls.sweep()
	switch {
	case t.opt.NoDigest || l.digest.until <= 0 || l.digest.until < zxid:
	case l.digest.until == zxid:
		mismatch = !l.digest.unknown && l.digest.digest != t.digest
	default:
		t.fuzzy = l.digest
	}
	return t, mismatch, nil
}

// Abort gives the memory back of a tree that is not finished, or failed to.
func (l *Loader) Abort() {
	l.stopWorker()
	l.t.Close()
}
