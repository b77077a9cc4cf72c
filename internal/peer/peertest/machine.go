// Package peertest has a Machine for tests: a tree that serves nobody.
package peertest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/arena"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/peer"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/txn"
	"github.com/quollhq/quoll/internal/zab"
)

// state is a tree with its sessions.
type state struct {
	loader   *tree.Loader
	tree     *tree.Tree
	sessions map[int64]int32
	tx       txn.Txn
	res      tree.Result
}

// Begin implements storage.SnapshotSink, like the methods that follow.
func (s *state) Begin() error {
	s.Close()
	s.loader, s.sessions = tree.NewLoader(), map[int64]int32{}
	return nil
}

func (s *state) AddSession(id int64, timeout int32) error { s.sessions[id] = timeout; return nil }

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
	s.loader = nil
	return err
}

// Apply implements peer.State.
func (s *state) Apply(entry []byte) error {
	if s.tree == nil {
		s.tree = tree.New()
	}
	if err := txn.Decode(entry, &s.tx); err != nil {
		return err
	}
	s.tree.Lock()
	defer s.tree.Unlock()
	s.tree.Apply(&s.tx, &s.res)
	if s.res.Code != proto.OK {
		return fmt.Errorf("transaction %x: %v: it was applied before, or one before it was not", uint64(s.tx.Zxid), s.res.Code)
	}
	if s.res.Mismatch {
		return fmt.Errorf("transaction %x: digest %x, and the leader has %x", uint64(s.tx.Zxid), s.res.Digest, s.res.Want)
	}
	switch s.tx.Header.Type {
	case proto.OpCreateSession:
		s.sessions[s.tx.ClientID] = s.tx.TimeOut
	case proto.OpCloseSession:
		delete(s.sessions, s.tx.ClientID)
	}
	return nil
}

// Close implements peer.State.
func (s *state) Close() {
	if s.loader != nil {
		s.loader.Abort()
		s.loader = nil
	}
	if s.tree != nil {
		s.tree.Close()
		s.tree = nil
	}
}

// Loaded implements peer.State.
func (s *state) Loaded(storage.Loaded) {}

// Digest implements peer.State.
func (s *state) Digest(int64) (storage.SnapshotDigest, bool) { return storage.SnapshotDigest{}, false }

// Source implements peer.State.
func (s *state) Source(zxid int64) peer.Frozen {
	if s.tree == nil {
		s.tree = tree.New()
	}
	return s.freeze(zxid)
}

func (s *state) freeze(zxid int64) *frozen {
	s.tree.Lock()
	defer s.tree.Unlock()
	return &frozen{view: s.tree.Freeze(), zxid: zxid, sessions: maps.Clone(s.sessions)}
}

// frozen is a state that does not change.
type frozen struct {
	view     *tree.View
	zxid     int64
	sessions map[int64]int32
}

func (f *frozen) Zxid() int64                            { return f.zxid }
func (f *frozen) Digest() (storage.SnapshotDigest, bool) { return storage.SnapshotDigest{}, false }
func (f *frozen) Close()                                 { f.view.Close() }

func (f *frozen) Sessions() (list []storage.Session) {
	for id, timeout := range f.sessions {
		list = append(list, storage.Session{ID: id, TimeOut: timeout})
	}
	return list
}

func (f *frozen) ACLs() (list []storage.SnapshotACL) {
	f.view.ACLs(func(id int64, acl []proto.ACL) bool {
		list = append(list, storage.SnapshotACL{ID: id, ACL: proto.AppendACLs(nil, acl)})
		return true
	})
	return list
}

func (f *frozen) Walk(yield func(path string, data []byte, acl int64, stat *proto.StatPersisted) error) error {
	return f.view.Walk(yield)
}

// Watched is what several machines share, so that tests can wait for any of them.
type Watched struct {
	t       testing.TB
	mu      sync.Mutex
	changed chan struct{} // closed with every change
}

// NewWatched is for the machines of one test.
func NewWatched(t testing.TB) *Watched { return &Watched{t: t, changed: make(chan struct{})} }

// Change runs f with the lock held, and wakes who waits.
func (w *Watched) Change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	close(w.changed)
	w.changed = make(chan struct{})
}

// Await waits until ok is true, which is called with the lock held.
func (w *Watched) Await(what string, ok func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if !w.Until(ctx, ok) {
		w.t.Fatalf("waited in vain for %s", what)
	}
}

// Until waits until ok is true, as long as ctx lasts, and tells whether it became so.
func (w *Watched) Until(ctx context.Context, ok func() bool) bool {
	for {
		w.mu.Lock()
		done, changed := ok(), w.changed
		w.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// Machine is a peer.Machine that tells tests what happens. Its fields are guarded by Watched.
type Machine struct {
	*Watched
	Name  string
	Role  peer.Role
	Zxid  int64 // the last that was applied
	Reads []zab.Read
	// Ended tells that the member runs no more.
	Ended bool
	// Restored counts the states that were put in force.
	Restored int
	// Inbox are the messages of learners, or of the leader; Asked are the requests of learners' clients.
	Inbox []zab.Upcall
	Asked []Asked
	// Configuration is the version of the one in force, once it has changed.
	Configuration int64
	// Memory is for those who propose; Freed is how much of it came back.
	Memory arena.Arena
	Freed  int
	// Touches are told to the leader.
	Touches []wire.Touch

	state *state
}

// NewState implements peer.Machine, like the methods that follow.
func (m *Machine) NewState() peer.State { return &state{sessions: map[int64]int32{}} }

func (m *Machine) Restore(s peer.State) {
	m.Change(func() {
		if m.Role.Serving() {
			m.t.Errorf("%s serves while its state is replaced", m.Name)
		}
		if m.state != nil {
			m.state.Close()
		}
		m.state = s.(*state)
		m.Restored++
		if m.state.tree == nil {
			m.state.tree = tree.New()
		}
		m.Zxid = m.state.tree.Zxid()
	})
}

func (m *Machine) Apply(entries []zab.Entry) {
	m.Change(func() {
		for _, e := range entries {
			if e.Zxid <= m.Zxid {
				m.t.Errorf("%s: transaction %x came after %x", m.Name, uint64(e.Zxid), uint64(m.Zxid))
			}
			if err := m.state.Apply(e.Data); err != nil {
				m.t.Errorf("%s: %v", m.Name, err)
			}
			m.Zxid = e.Zxid
		}
	})
}

func (m *Machine) Freeze() peer.Frozen {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.freeze(m.Zxid)
}

func (m *Machine) Serve(r peer.Role) {
	m.Change(func() { m.Role = r })
}

// Uplink is the connection to the leader in the present role.
func (m *Machine) Uplink() zab.Link {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.Role.Uplink
}

// Asked is a request of a learner's client.
type Asked struct {
	Learner zab.Link
	Request wire.ClientRequest
}

func (m *Machine) Requests(learner zab.Link, _ int64, list []wire.ClientRequest) {
	m.Change(func() {
		for _, r := range list {
			r.Body = bytes.Clone(r.Body)
			m.Asked = append(m.Asked, Asked{learner, r})
		}
	})
}

func (m *Machine) Received(messages []zab.Upcall) {
	m.Change(func() { m.Inbox = append(m.Inbox, messages...) })
}
func (m *Machine) Confirmed(r zab.Read) { m.Change(func() { m.Reads = append(m.Reads, r) }) }

func (m *Machine) Configured(c *zab.Membership) {
	m.Change(func() { m.Configuration = c.Version })
}

func (m *Machine) Free(filled []byte) {
	m.Memory.Free(filled)
	m.Change(func() { m.Freed++ })
}

func (m *Machine) Answered(zab.Link) {}

func (m *Machine) Left(zab.Link) {}

func (m *Machine) Touched() []wire.Touch {
	m.mu.Lock()
	defer m.mu.Unlock()
	touches := m.Touches
	m.Touches = nil
	return touches
}

// Digest tells states apart. With m.mu held.
func (m *Machine) Digest() uint64 { return m.state.tree.Digest() }

// Content is all paths with their data.
func (m *Machine) Content() string {
	f := m.Freeze()
	defer f.Close()
	var b bytes.Buffer
	err := f.Walk(func(path string, data []byte, _ int64, stat *proto.StatPersisted) error {
		fmt.Fprintf(&b, "%s=%q %x\n", path, data, stat.Mzxid)
		return nil
	})
	if err != nil {
		m.t.Error(err)
	}
	return b.String()
}

// Creates is a batch that creates n znodes from zxid on.
func Creates(zxid int64, n int, data []byte) peer.Batch {
	var b []byte
	acl := proto.AppendACLs(nil, proto.OpenACL())
	for i := range n {
		z := zxid + int64(i)
		tx := txn.Txn{Header: txn.Header{Zxid: z, Time: z, Type: proto.OpCreate, ClientID: 1, Cxid: int32(i)}}
		tx.Body = txn.Body{Type: proto.OpCreate, Path: fmt.Sprintf("/n%x", z), Data: data, ACL: acl, ParentCversion: -1}
		var mark int
		b, mark = storage.BeginRecord(b)
		b = storage.EndRecord(tx.Append(b), mark)
	}
	return peer.Batch{Records: b}
}
