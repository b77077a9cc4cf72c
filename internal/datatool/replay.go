package datatool

import (
	"fmt"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/txn"
)

// replayed is a tree that is rebuilt from disk, as a server does it, and
// compared with the digests on the way.
type replayed struct {
	loader *tree.Loader
	tree   *tree.Tree
	tx     txn.Txn
	res    tree.Result

	digests  int64 // transactions that had one
	mismatch int64 // of which it was another
	first    int64 // zxid of the first of those
}

var treeOptions = tree.Options{ExtendedTypes: true}

// Begin is storage.SnapshotSink's.
func (r *replayed) Begin() error {
	r.close()
	r.loader = tree.NewLoader(treeOptions)
	return nil
}

func (r *replayed) close() {
	if r.loader != nil {
		r.loader.Abort()
		r.loader = nil
	}
	if r.tree != nil {
		r.tree.Close()
		r.tree = nil
	}
}

// AddSession is storage.SnapshotSink's.
func (r *replayed) AddSession(int64, int32) error { return nil }

// AddACL is storage.SnapshotSink's.
func (r *replayed) AddACL(id int64, encoded []byte) error {
	d := jute.NewDecoder(encoded)
	acl := proto.DecodeACLs(&d)
	if err := d.Err(); err != nil {
		return fmt.Errorf("access control list %d: %w", id, err)
	}
	return r.loader.AddACL(id, acl)
}

// AddNode is storage.SnapshotSink's.
func (r *replayed) AddNode(path string, data []byte, acl int64, stat *proto.StatPersisted) error {
	return r.loader.AddNode(path, data, acl, stat)
}

// Finish is storage.SnapshotSink's.
func (r *replayed) Finish(info *storage.SnapshotInfo) error {
	if info.HasDigest && info.Digest.Zxid >= info.Zxid {
		r.loader.SetDigest(info.Digest.Zxid, info.Digest.Version, info.Digest.Value)
	}
	t, mismatch, err := r.loader.Finish(info.Zxid)
	r.loader = nil
	if err != nil {
		return err
	}
	r.tree = t
	if mismatch {
		return &storage.DamageError{
			File:   info.Path,
			Reason: fmt.Sprintf("the digest of its nodes is %d, but it says %d", t.Digest(), info.Digest.Value),
		}
	}
	return nil
}

// apply applies one transaction.
func (r *replayed) apply(entry []byte) error {
	if r.tree == nil {
		r.tree = tree.New(treeOptions)
	}
	if err := txn.Decode(entry, &r.tx); err != nil {
		return err
	}
	r.tree.Lock()
	r.tree.Apply(&r.tx, &r.res)
	r.tree.Unlock()
	if r.tx.HasDigest {
		r.digests++
	}
	if r.res.Mismatch {
		if r.mismatch++; r.mismatch == 1 {
			r.first = r.tx.Zxid
		}
	}
	return nil
}
