package crash

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/quollhq/quoll/internal/auth"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/request"
	"github.com/quollhq/quoll/internal/session"
	"github.com/quollhq/quoll/internal/sim"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/txn"
	"github.com/quollhq/quoll/internal/watch"
)

// machine is a server without a network on a simulated disk: what a start
// loads, the engine over it, and one client.
type machine struct {
	store  *storage.Store
	tree   *tree.Tree
	loader *tree.Loader
	tx     txn.Txn
	res    tree.Result
	live   map[int64]int32
	wrong  int // transactions whose digest is not the tree's

	engine *request.Engine
	failed chan struct{} // the engine's log has failed
	quit   chan struct{}
	tasks  sync.WaitGroup // snapshots, and the one that waits for the failure
	client *request.Client
	inbox  inbox
}

var treeOptions = tree.Options{ExtendedTypes: true}

// boot loads the disk.
func boot(disk *sim.Disk) (*machine, error) {
	m := &machine{live: map[int64]int32{}}
	var err error
	m.store, err = storage.Open(storage.Options{FS: disk, Dirs: storage.Dirs{Data: "/data"}, Preallocate: 16 << 10})
	if err != nil {
		return m, err
	}
	l, err := m.store.Load(context.Background(), m, m.apply)
	if err != nil {
		return m, err
	}
	if m.tree == nil {
		m.tree = tree.New(treeOptions)
	}
	if m.wrong > 0 {
		return m, fmt.Errorf("%d digests differ", m.wrong)
	}
	if err := m.tree.Check(); err != nil {
		return m, err
	}
	if l.Fresh {
		return m, m.snapshot(request.Frozen{View: m.freeze(), Sessions: m.live})
	}
	return m, nil
}

func (m *machine) freeze() *tree.View {
	m.tree.Lock()
	defer m.tree.Unlock()
	return m.tree.Freeze()
}

// Begin is storage.SnapshotSink's.
func (m *machine) Begin() error {
	m.drop()
	m.loader = tree.NewLoader(treeOptions)
	return nil
}

func (m *machine) drop() {
	if m.loader != nil {
		m.loader.Abort()
		m.loader = nil
	}
	if m.tree != nil {
		m.tree.Close()
		m.tree = nil
	}
	clear(m.live)
}

// AddSession is storage.SnapshotSink's.
func (m *machine) AddSession(id int64, timeOut int32) error {
	m.live[id] = timeOut
	return nil
}

// AddACL is storage.SnapshotSink's.
func (m *machine) AddACL(id int64, acl []byte) error {
	d := jute.NewDecoder(acl)
	return m.loader.AddACL(id, proto.DecodeACLs(&d))
}

// AddNode is storage.SnapshotSink's.
func (m *machine) AddNode(path string, data []byte, acl int64, stat *proto.StatPersisted) error {
	return m.loader.AddNode(path, data, acl, stat)
}

// Finish is storage.SnapshotSink's.
func (m *machine) Finish(info *storage.SnapshotInfo) error {
	if info.HasDigest {
		m.loader.SetDigest(info.Digest.Zxid, info.Digest.Version, info.Digest.Value)
	}
	t, mismatch, err := m.loader.Finish(info.Zxid)
	m.loader, m.tree = nil, t
	if err == nil && mismatch {
		err = errors.New("the digest of a snapshot is not its tree's")
	}
	return err
}

func (m *machine) apply(entry []byte) error {
	if err := txn.Decode(entry, &m.tx); err != nil {
		return err
	}
	m.tree.Lock()
	m.tree.Apply(&m.tx, &m.res)
	m.tree.Unlock()
	if m.res.Mismatch {
		m.wrong++
	}
	switch m.tx.Header.Type {
	case proto.OpCreateSession:
		m.live[m.tx.ClientID] = m.tx.TimeOut
	case proto.OpCloseSession:
		delete(m.live, m.tx.ClientID)
	}
	return nil
}

// start serves what was loaded, to one client with a new session.
func (m *machine) start(sessionID int64) error {
	registry, err := auth.New(auth.Options{})
	if err != nil {
		return err
	}
	tracker := session.NewTracker(1000, 0)
	for id, timeOut := range m.live {
		tracker.Commit(id, timeOut, 0)
	}
	m.engine = request.New(request.Options{
		Tree: m.tree, Watches: watch.New(), Sessions: tracker, Auth: registry, Log: m.store.Log(),
		Logger: slog.New(slog.DiscardHandler), Now: time.Now, Rand: rand.New(rand.NewPCG(uint64(sessionID), 7)), Live: m.live,
		DigestEnabled: true, ExtendedTypes: true, CloseSessionTxn: true, OutstandingLimit: 1000,
		MaxInFlight: 1 << 20, SnapCount: 20, Snapshots: m,
	})
	m.engine.Start()
	m.client = &request.Client{}
	m.failed, m.quit = make(chan struct{}), make(chan struct{})
	m.tasks.Go(m.watch)
	m.inbox.client, m.inbox.more = m.client, make(chan struct{}, 1)
	m.client.Conn = &m.inbox
	m.client.Session, _ = tracker.Track(sessionID, 30000, 0)
	m.client.Session.SetOwner(request.LocalOwner)
	m.engine.Attach(m.client)
	if err := m.engine.CreateSession(m.client); err != nil {
		return err
	}
	if !m.client.Drain() {
		return m.engine.Err()
	}
	return nil
}

// watch hangs up when the log has failed, as the server does.
func (m *machine) watch() {
	select {
	case <-m.engine.Failed():
		m.client.Discard()
		close(m.failed)
	case <-m.quit:
	}
}

// Due is request.Snapshotter's. Snapshots are written beside the log.
func (m *machine) Due(freeze func() (request.Frozen, bool)) bool {
	f, ok := freeze()
	if !ok {
		return true
	}
	m.tasks.Go(func() {
		_ = m.snapshot(f) // the power is off; the start tells whether that did harm
	})
	return true
}

// Size is request.Snapshotter's.
func (m *machine) Size() int64 { return 0 }

func (m *machine) snapshot(f request.Frozen) error {
	defer f.View.Close()
	_, err := m.store.WriteSnapshot(context.Background(), frozen{f})
	return err
}

// stop ends what runs. The disk may be off.
func (m *machine) stop() {
	if m.engine != nil {
		m.engine.Close()
		m.engine.Watches.Close()
		close(m.quit)
	}
	m.tasks.Wait()
	if m.store != nil {
		_ = m.store.Close() // fails if the power is off
	}
	m.drop()
}

// frozen is a storage.SnapshotSource.
type frozen struct{ f request.Frozen }

func (s frozen) Zxid() int64 { return s.f.View.Zxid() }

func (s frozen) Digest() (storage.SnapshotDigest, bool) {
	return storage.SnapshotDigest{Zxid: s.f.View.Zxid(), Version: txn.DigestVersion, Value: s.f.View.Digest()}, true
}

func (s frozen) Sessions() []storage.Session {
	var list []storage.Session
	for id, timeOut := range s.f.Sessions {
		list = append(list, storage.Session{ID: id, TimeOut: timeOut})
	}
	return list
}

func (s frozen) ACLs() []storage.SnapshotACL {
	var list []storage.SnapshotACL
	s.f.View.ACLs(func(id int64, acl []proto.ACL) bool {
		list = append(list, storage.SnapshotACL{ID: id, ACL: proto.AppendACLs(nil, acl)})
		return true
	})
	return list
}

func (s frozen) Walk(yield func(string, []byte, int64, *proto.StatPersisted) error) error {
	return s.f.View.Walk(yield)
}

// inbox is the client's side of its connection: it collects the replies.
type inbox struct {
	client *request.Client
	mu     sync.Mutex
	got    []byte
	more   chan struct{}
}

// Flush is request.Conn's.
func (i *inbox) Flush() {
	frames, _ := i.client.Take()
	i.mu.Lock()
	i.got = append(i.got, frames...)
	i.mu.Unlock()
	select {
	case i.more <- struct{}{}:
	default:
	}
}

// Close is request.Conn's.
func (i *inbox) Close(string) { i.client.Discard() }

// reply is the next reply, once it is here.
func (i *inbox) reply() (proto.ReplyHeader, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var h proto.ReplyHeader
	d := jute.NewDecoder(i.got)
	frame := d.Buffer()
	if d.Err() != nil || frame == nil {
		return h, false
	}
	i.got = i.got[4+len(frame):]
	fd := jute.NewDecoder(frame)
	h.Decode(&fd)
	return h, true
}
