package storage_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/txn"
)

// model is a state for tests: what the snapshot held, and the entries after it.
type model struct {
	zxid     int64
	digest   storage.SnapshotDigest
	sessions []storage.Session
	acls     []storage.SnapshotACL
	nodes    []modelNode
	entries  []string
	info     *storage.SnapshotInfo
}

type modelNode struct {
	path string
	data []byte
	acl  int64
	stat proto.StatPersisted
}

func (m *model) Begin() error { *m = model{}; return nil }

func (m *model) AddSession(id int64, timeOut int32) error {
	m.sessions = append(m.sessions, storage.Session{id, timeOut})
	return nil
}

func (m *model) AddACL(id int64, acl []byte) error {
	m.acls = append(m.acls, storage.SnapshotACL{id, append([]byte(nil), acl...)})
	return nil
}

func (m *model) AddNode(path string, data []byte, acl int64, stat *proto.StatPersisted) error {
	if data != nil {
		data = append([]byte{}, data...)
	}
	m.nodes = append(m.nodes, modelNode{string([]byte(path)), data, acl, *stat})
	return nil
}

func (m *model) Finish(info *storage.SnapshotInfo) error {
	m.info, m.zxid, m.digest = info, info.Zxid, info.Digest
	return nil
}

func (m *model) apply(entry []byte) error {
	m.entries = append(m.entries, string(entry))
	return nil
}

func (m *model) Zxid() int64                            { return m.zxid }
func (m *model) Digest() (storage.SnapshotDigest, bool) { return m.digest, true }
func (m *model) Sessions() []storage.Session            { return m.sessions }
func (m *model) ACLs() []storage.SnapshotACL            { return m.acls }

func (m *model) Walk(yield func(string, []byte, int64, *proto.StatPersisted) error) error {
	for i := range m.nodes {
		n := &m.nodes[i]
		if err := yield(n.path, n.data, n.acl, &n.stat); err != nil {
			return err
		}
	}
	return nil
}

// newModel is a state of n nodes as of zxid.
func newModel(zxid int64, n int) *model {
	m := &model{
		zxid: zxid, digest: storage.SnapshotDigest{zxid, txn.DigestVersion, 0xfeedfacecafe},
		sessions: []storage.Session{{1, 10000}, {-5, 4000}},
		acls:     []storage.SnapshotACL{{1, proto.AppendACLs(nil, proto.OpenACL())}, {7, proto.AppendACLs(nil, []proto.ACL{{Perms: 1, Scheme: "ip", ID: "10.0.0.0/8"}})}},
		nodes:    []modelNode{{path: "", acl: storage.OpenACLID}},
	}
	for i := range n {
		m.nodes = append(m.nodes, modelNode{
			path: fmt.Sprintf("/node-%d", i), data: make([]byte, i%300), acl: int64(i%2*6 + 1),
			stat: proto.StatPersisted{Czxid: int64(i), Mzxid: 2, Ctime: 3, Mtime: 4, Version: 5, Cversion: 6, Aversion: 7, EphemeralOwner: 8, Pzxid: 9},
		})
	}
	if n > 0 {
		m.nodes[1].data = nil
	}
	return m
}

// testEntry is a transaction that sets data of n bytes.
func testEntry(zxid int64, n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(int64(i)*31 + zxid)
	}
	t := txn.Txn{Header: txn.Header{ClientID: 77, Cxid: int32(zxid), Zxid: zxid, Time: 1700000000000, Type: proto.OpSetData}}
	t.Body = txn.Body{Type: proto.OpSetData, Path: "/p", Data: data, Version: int32(zxid)}
	return t.Append(nil)
}

func frame(b, entry []byte) []byte {
	b, mark := storage.BeginRecord(b)
	return storage.EndRecord(append(b, entry...), mark)
}

func appendBatch(t testing.TB, l *storage.Log, first int64, sizes ...int) {
	t.Helper()
	var b []byte
	for i, n := range sizes {
		b = frame(b, testEntry(first+int64(i), n))
	}
	if err := l.Append(b, first, first+int64(len(sizes))-1, len(sizes)); err != nil {
		t.Fatal(err)
	}
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
}

func openLoaded(t testing.TB, opts storage.Options) (*storage.Store, *model, storage.Loaded) {
	t.Helper()
	s, err := storage.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	m := &model{}
	l, err := s.Load(context.Background(), m, m.apply)
	if err != nil {
		t.Fatal(err)
	}
	return s, m, l
}

func TestWhatIsWrittenIsLoaded(t *testing.T) {
	for _, c := range []storage.Compression{storage.None, storage.Gzip, storage.Snappy} {
		t.Run("compression "+string(c), func(t *testing.T) {
			dir := t.TempDir()
			opts := storage.Options{Dirs: storage.Dirs{Data: filepath.Join(dir, "data"), Log: filepath.Join(dir, "log")}, Compression: c, Preallocate: 1 << 20}
			s, _, l := openLoaded(t, opts)
			if !l.Fresh || l.LastZxid != 0 || l.Unknown {
				t.Fatalf("%+v", l)
			}
			state := newModel(0, 10000)
			if _, err := s.WriteSnapshot(context.Background(), state); err != nil {
				t.Fatal(err)
			}
			appendBatch(t, s.Log(), 1, 10, 0, 400)
			appendBatch(t, s.Log(), 4, 100)
			if err := s.Log().Roll(); err != nil {
				t.Fatal(err)
			}
			appendBatch(t, s.Log(), 5, 100, 100000)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}

			s, m, l := openLoaded(t, opts)
			if l.LastZxid != 6 || l.Replayed != 6 || l.CutBytes != 0 || l.Fresh {
				t.Fatalf("%+v", l)
			}
			for i, e := range m.entries {
				if z := int64(binary.BigEndian.Uint64([]byte(e[12:]))); z != int64(i)+1 {
					t.Fatalf("entry %d has zxid %d", i, z)
				}
			}
			m.entries, m.info = nil, nil
			state.info = nil
			if fmt.Sprintf("%v", m) != fmt.Sprintf("%v", state) {
				t.Fatal("the snapshot differs")
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}
