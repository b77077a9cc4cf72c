package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/request"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/txn"
)

// errMemberRestore refuses what would make members differ.
var errMemberRestore = errors.New("a member of an ensemble is not restored while it runs: stop all members, put the snapshot into the data " +
	"directory of each in the place of what is there, and start them")

// restore replaces the whole state by the snapshot that r yields. It is read
// and checked beside the state that serves; only then are writes held back,
// until the new state is on disk as a snapshot of its own and in its place.
// All clients have to come back afterwards: those whose session the snapshot
// has go on with it, the others learn that theirs has expired.
func (s *Server) restore(ctx context.Context, r io.Reader) (int64, error) {
	if s.member != nil {
		return 0, errMemberRestore
	}
	start := time.Now()
	loaded, err := s.readSnapshot(ctx, r)
	if err != nil {
		return 0, fmt.Errorf("read the snapshot to restore: %w", err)
	}
	if err := s.snapshots.begin(ctx); err != nil {
		loaded.drop()
		return 0, err
	}
	defer s.snapshots.end()
	zxid, err := s.engine.Replace(request.Replacement{
		Tree: loaded.tree, Sessions: loaded.sessions, Now: s.clock.Now,
		Persist: func(f request.Frozen) error {
			zxid := f.View.Zxid()
			if info, err := s.snapshots.write(f); err != nil {
				return undo(info.Path, err)
			}
			s.store.Log().Jump(zxid)
			return nil
		},
	})
	if err != nil {
		loaded.tree.Close()
		return 0, fmt.Errorf("replace the state: %w", err)
	}
	s.listener.CloseAll("the server's state was replaced by a restore")
	s.buryOrphans()
	s.log.Warn("the whole state was replaced by a restore", "zxid", fmt.Sprintf("0x%x", uint64(zxid)), "znodes", loaded.nodes,
		"sessions", len(loaded.sessions), "took", time.Since(start).Round(time.Millisecond))
	return zxid, nil
}

// undo removes what a failed restore may have left: a start would take it for
// the newest state, and apply transactions to it that belong to the old one.
func undo(snapshot string, failure error) error {
	if err := os.Remove(snapshot); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w; %s could not be removed: %w", request.ErrUncertain, failure, snapshot, err)
	}
	return failure
}

// restored is a snapshot that was read to be restored.
type restored struct {
	*state
	last  int64 // the highest zxid that any znode names
	nodes int
}

// readSnapshot reads a snapshot in any of the forms in which servers write it.
func (s *Server) readSnapshot(ctx context.Context, r io.Reader) (*restored, error) {
	loaded := &restored{state: newState(s.treeOptions(), s.log)}
	in := bufio.NewReaderSize(r, 64<<10)
	info := storage.SnapshotInfo{Path: "the snapshot", Compression: compressionOf(in)}
	if err := storage.DecodeSnapshot(ctx, in, &info, s.maxEntry(), loaded); err != nil {
		loaded.drop()
		return nil, err
	}
	if loaded.tree == nil {
		loaded.drop()
		return nil, errors.New("no tree in it")
	}
	loaded.tree.AddConfigNode()
	return loaded, nil
}

// treeOptions are those of every tree of this server.
func (s *Server) treeOptions() tree.Options {
	c := &s.cfg
	return tree.Options{
		ExtendedTypes: c.Tree.ExtendedTypes, Emulate353TTL: c.Tree.Emulate353, NoDigest: !c.Storage.Digest,
	}
}

// compressionOf tells a snapshot's compression by its first bytes. There is no
// file name to tell it by.
func compressionOf(in *bufio.Reader) storage.Compression {
	head, _ := in.Peek(8)
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return storage.Gzip
	case bytes.HasPrefix(head, []byte("\x82SNAPPY\x00")):
		return storage.Snappy
	}
	return storage.None
}

// AddNode is storage.SnapshotSink's.
func (r *restored) AddNode(path string, data []byte, acl int64, stat *proto.StatPersisted) error {
	r.last = max(r.last, stat.Czxid, stat.Mzxid, stat.Pzxid)
	return r.state.AddNode(path, data, acl, stat)
}

// Finish is storage.SnapshotSink's. The digest is compared, but does not
// decide: a server that writes a snapshot while it applies transactions mixes
// states in it, and Apache's restore takes such, too.
func (r *restored) Finish(info *storage.SnapshotInfo) error {
	zxid := r.last
	if info.HasLastZxid {
		zxid = max(zxid, info.LastZxid)
	}
	t, _, err := r.loader.Finish(zxid)
	if err != nil {
		return err
	}
	r.tree, r.loader, r.nodes = t, nil, info.Nodes
	if info.HasDigest && info.Digest.Version == txn.DigestVersion && info.Digest.Value != t.Digest() && !r.opts.NoDigest {
		r.log.Warn("the digest in the snapshot to restore is not that of its znodes: it was written while they were being changed",
			"snapshot", info.Digest.Value, "znodes", t.Digest())
	}
	return nil
}
