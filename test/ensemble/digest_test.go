package ensemble

import (
	"context"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/txn"
)

// digests are those of the members' trees, read from their disks, as of the last transaction that all have. They must be equal,
// and those of each transaction what its leader has said.
func (w *world) digests() (zxid int64, digest uint64) {
	w.t.Helper()
	zxid = w.replay(1, 1<<62).zxid
	for sid := 2; sid <= w.size; sid++ {
		zxid = min(zxid, w.replay(sid, 1<<62).zxid)
	}
	for sid := 1; sid <= w.size; sid++ {
		r := w.replay(sid, zxid)
		if r.zxid != zxid || r.mismatch {
			w.t.Errorf("member %d: its disk holds transaction 0x%x, want 0x%x; digests that are not what a leader said: %v", sid, r.zxid, zxid, r.mismatch)
		}
		if sid > 1 && r.digest != digest {
			w.t.Errorf("member %d has the digest %x, the ones before %x", sid, r.digest, digest)
		}
		digest = r.digest
	}
	return zxid, digest
}

// replayed is a tree that was made of what a member left on its disk, as of zxid.
type replayed struct {
	loader   *tree.Loader
	tree     *tree.Tree
	tx       txn.Txn
	res      tree.Result
	upTo     int64
	zxid     int64
	digest   uint64
	mismatch bool
}

// replay loads what a member has on its disk, up to a transaction.
func (w *world) replay(sid int, upTo int64) *replayed {
	w.t.Helper()
	store, err := storage.Open(storage.Options{Dirs: storage.Dirs{Data: w.Server(sid).DataDir()}, ReadOnly: true})
	w.must(err)
	r := &replayed{upTo: upTo}
	_, err = store.Load(context.Background(), r, r.apply)
	w.must(err)
	r.zxid, r.digest = r.tree.Zxid(), r.tree.Digest()
	r.tree.Close()
	w.must(store.Close())
	return r
}

// Begin makes it a storage.SnapshotSink, like the methods that follow.
func (r *replayed) Begin() error {
	if r.tree != nil {
		r.tree.Close()
	}
	r.loader, r.tree = tree.NewLoader(), nil
	return nil
}

func (r *replayed) AddSession(int64, int32) error { return nil }

func (r *replayed) AddACL(id int64, encoded []byte) error {
	d := jute.NewDecoder(encoded)
	acl := proto.DecodeACLs(&d)
	if err := d.Err(); err != nil {
		return err
	}
	return r.loader.AddACL(id, acl)
}

func (r *replayed) AddNode(path string, data []byte, acl int64, stat *proto.StatPersisted) error {
	return r.loader.AddNode(path, data, acl, stat)
}

func (r *replayed) Finish(info *storage.SnapshotInfo) (err error) {
	if info.HasDigest {
		r.loader.SetDigest(info.Digest.Zxid, info.Digest.Version, info.Digest.Value)
	}
	r.tree, r.mismatch, err = r.loader.Finish(info.Zxid)
	return err
}

func (r *replayed) apply(entry []byte) error {
	if err := txn.Decode(entry, &r.tx); err != nil {
		return err
	}
	if r.tx.Zxid > r.upTo {
		return nil
	}
	r.tree.Lock()
	defer r.tree.Unlock()
	r.tree.Apply(&r.tx, &r.res)
	r.mismatch = r.mismatch || r.res.Mismatch
	return nil
}
