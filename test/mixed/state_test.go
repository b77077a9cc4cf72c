package mixed

import (
	"fmt"
	"io"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/tree"
)

// state is a tree that a leader has sent.
type state struct {
	loader   *tree.Loader
	tree     *tree.Tree
	sessions map[int64]int32
}

func (s *state) Begin() error {
	s.loader, s.sessions = tree.NewLoader(), make(map[int64]int32)
	return nil
}

func (s *state) AddSession(id int64, timeout int32) error {
	s.sessions[id] = timeout
	return nil
}

func (s *state) AddACL(id int64, encoded []byte) error {
	d := jute.NewDecoder(encoded)
	acl := proto.DecodeACLs(&d)
	if err := d.Err(); err != nil {
		return err
	}
	return s.loader.AddACL(id, acl)
}

func (s *state) AddNode(path string, data []byte, acl int64, stat *proto.StatPersisted) error {
	return s.loader.AddNode(path, data, acl, stat)
}

func (s *state) Finish(info *storage.SnapshotInfo) (err error) {
	s.tree, _, err = s.loader.Finish(info.Zxid)
	return err
}

func (s *state) Close() {
	if s.tree != nil {
		s.tree.Close()
	}
}

// forest is a state of many znodes, to be sent to a learner.
type forest struct{ znodes int }

const forestZxid = 5

func forestPath(i int) string { return fmt.Sprintf("/forest/tree-%d", i) }

func (f forest) Zxid() int64                            { return forestZxid }
func (f forest) Digest() (storage.SnapshotDigest, bool) { return storage.SnapshotDigest{}, false }
func (f forest) Sessions() []storage.Session            { return nil }

func (f forest) ACLs() []storage.SnapshotACL {
	return []storage.SnapshotACL{{ID: 1, ACL: proto.AppendACLs(nil, proto.OpenACL())}}
}

func (f forest) Walk(yield func(path string, data []byte, acl int64, stat *proto.StatPersisted) error) error {
	st := proto.StatPersisted{Czxid: forestZxid, Mzxid: forestZxid, Pzxid: forestZxid, Ctime: 1, Mtime: 2}
	for _, path := range []string{"", "/zookeeper", "/zookeeper/quota", "/zookeeper/config", "/forest"} {
		if err := yield(path, nil, -1, &st); err != nil {
			return err
		}
	}
	for i := range f.znodes {
		if err := yield(forestPath(i), []byte(forestPath(i)), 1, &st); err != nil {
			return err
		}
	}
	return nil
}

// WriteTo and Close make a forest a link.Stream.
func (f forest) WriteTo(w io.Writer) (int64, error) {
	if err := storage.EncodeState(w, f, &storage.SnapshotInfo{}); err != nil {
		return 0, err
	}
	_, err := w.Write(wire.AppendSignature(nil))
	return 0, err
}

func (f forest) Close() error { return nil }
