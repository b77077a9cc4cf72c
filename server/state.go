package server

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/request"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/txn"
)

// state is what a server loads from its disk: the tree and the sessions.
type state struct {
	opts     tree.Options
	log      *slog.Logger
	tree     *tree.Tree
	loader   *tree.Loader
	sessions map[int64]int32 // timeouts in milliseconds by id
	tx       txn.Txn
	res      tree.Result
	mismatch int64 // transactions whose digest differed
	differs  bool  // the last digest that could be compared did
}

func newState(o tree.Options, log *slog.Logger) *state {
	return &state{opts: o, log: log, sessions: make(map[int64]int32)}
}

// AddSession is storage.SnapshotSink's.
func (s *state) AddSession(id int64, timeout int32) error {
	s.sessions[id] = timeout
	return nil
}

// Begin starts a snapshot: what an unusable one before it left is dropped.
func (s *state) Begin() error {
	s.drop()
	s.loader = tree.NewLoader(s.opts)
	return nil
}

func (s *state) drop() {
	if s.loader != nil {
		s.loader.Abort()
		s.loader = nil
	}
	if s.tree != nil {
		s.tree.Close()
		s.tree = nil
	}
	clear(s.sessions)
}

// AddACL is storage.SnapshotSink's.
func (s *state) AddACL(id int64, encoded []byte) error {
	d := jute.NewDecoder(encoded)
	acl := proto.DecodeACLs(&d)
	if err := d.Err(); err != nil {
		return fmt.Errorf("access control list %d: %w", id, err)
	}
	return s.loader.AddACL(id, acl)
}

// AddNode is storage.SnapshotSink's.
func (s *state) AddNode(path string, data []byte, acl int64, stat *proto.StatPersisted) error {
	return s.loader.AddNode(path, data, acl, stat)
}

// Expect is storage.Expecter's.
func (s *state) Expect(nodes int) { s.loader.Expect(nodes) }

// Finish is storage.SnapshotSink's.
func (s *state) Finish(info *storage.SnapshotInfo) error {
	zxid := info.Zxid
	if info.HasLastZxid {
		zxid = info.LastZxid
	}
	if info.HasDigest {
		s.loader.SetDigest(info.Digest.Zxid, info.Digest.Version, info.Digest.Value)
	}
	t, mismatch, err := s.loader.Finish(zxid)
	if err != nil {
		return err
	}
	s.tree, s.loader = t, nil
	if mismatch {
		// The checksums were right, so the file is what its writer meant. Apache's
		// server writes while it applies: a transaction that was half in the file
		// makes this differ, and the log that follows sets it right and says so.
		s.mismatch++
		s.differs = true
		s.log.Error("digest of the tree differs from the one in the snapshot; the transactions that follow will tell whether it stays so",
			"snapshot", info.Path, "zxid", fmt.Sprintf("0x%x", uint64(zxid)), "disk", fmt.Sprintf("%x", info.Digest.Value), "tree", fmt.Sprintf("%x", t.Digest()))
	}
	return nil
}

// apply replays one transaction of the log.
func (s *state) apply(entry []byte) error {
	if s.tree == nil {
		s.tree = tree.New(s.opts)
	}
	if err := txn.Decode(entry, &s.tx); err != nil {
		return err
	}
	s.tree.Apply(&s.tx, &s.res)
	if s.tx.HasDigest || s.res.Mismatch {
		s.differs = s.res.Mismatch
	}
	if s.res.Mismatch {
		s.mismatch++
		if s.mismatch == 1 {
			s.log.Error("digest of the tree differs from the one on disk",
				"zxid", fmt.Sprintf("0x%x", uint64(s.tx.Zxid)), "disk", fmt.Sprintf("%x", s.res.Want), "tree", fmt.Sprintf("%x", s.res.Digest))
		}
	}
	switch s.tx.Header.Type {
	case proto.OpCreateSession:
		s.sessions[s.tx.ClientID] = s.tx.TimeOut
	case proto.OpCloseSession:
		delete(s.sessions, s.tx.ClientID)
	}
	return nil
}

// frozenSource is a frozen state as storage takes it.
type frozenSource struct {
	f      request.Frozen
	digest bool
}

func (s *frozenSource) Zxid() int64 { return s.f.View.Zxid() }

func (s *frozenSource) Digest() (storage.SnapshotDigest, bool) {
	return storage.SnapshotDigest{Zxid: s.f.View.Zxid(), Version: txn.DigestVersion, Value: s.f.View.Digest()}, s.digest
}

func (s *frozenSource) Sessions() []storage.Session {
	list := make([]storage.Session, 0, len(s.f.Sessions))
	for id, timeout := range s.f.Sessions {
		list = append(list, storage.Session{ID: id, TimeOut: timeout})
	}
	return list
}

func (s *frozenSource) ACLs() []storage.SnapshotACL {
	var list []storage.SnapshotACL
	s.f.View.ACLs(func(id int64, acl []proto.ACL) bool {
		list = append(list, storage.SnapshotACL{ID: id, ACL: proto.AppendACLs(nil, acl)})
		return true
	})
	return list
}

// errUnsound is for a state that does not have its own digest: what was in memory
// has changed by itself, or the digest was kept wrongly.
var errUnsound = errors.New("what is in memory differs from its own digest")

// Walk is storage.SnapshotSource's. A state that is not what its digest says goes
// no further: it would be believed by whoever reads it.
func (s *frozenSource) Walk(yield func(path string, data []byte, acl int64, stat *proto.StatPersisted) error) error {
	if !s.digest {
		return s.f.View.Walk(yield)
	}
	var sum uint64
	err := s.f.View.Walk(func(path string, data []byte, acl int64, stat *proto.StatPersisted) error {
		sum += tree.DigestOf(path, data, stat)
		return yield(path, data, acl, stat)
	})
	if err == nil && sum != s.f.View.Digest() {
		return fmt.Errorf("%w: %x and %x at 0x%x", errUnsound, sum, s.f.View.Digest(), uint64(s.f.View.Zxid()))
	}
	return err
}
