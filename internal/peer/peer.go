package peer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/internal/failpoint"
	"github.com/quollhq/quoll/internal/peer/link"
	"github.com/quollhq/quoll/internal/peer/mesh"
	"github.com/quollhq/quoll/internal/peer/socket"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/zab"
)

// defaultWaiting bounds the bytes of transactions that wait for the disk or the machine.
const defaultWaiting = 64 << 20

// Config is what a Peer needs. All fields are required unless said otherwise.
type Config struct {
	// ID is the member's number.
	ID int64
	// Active is the configuration in force, LastSeen the one that was seen last; nil if it is the same.
	Active, LastSeen *zab.Membership
	// Reconfig allows configurations to change; SaveConfig then stores them, durably: the one seen last, or the one in force.
	Reconfig   bool
	SaveConfig func(active bool, m *zab.Membership) error
	// Store is open and not loaded: New loads it.
	Store *storage.Store
	// Machine is the state machine.
	Machine Machine

	// Election and Quorum accept other members; Run closes them.
	Election, Quorum net.Listener
	// ListenElection and ListenQuorum open these ports where a reconfiguration has moved them; nil if they are to stay.
	ListenElection, ListenQuorum Listen
	// ListenObservers opens ObserverMasterPort.
	ListenObservers Listen
	// Dial opens connections to members; DialElection those for elections, Dial if it is nil.
	Dial, DialElection socket.Dialer
	// Authenticator is nil if members believe each other.
	Authenticator socket.Authenticator
	// MultiAddress allows several addresses per member.
	MultiAddress bool

	// Tick, InitLimit and SyncLimit are tickTime, initLimit and syncLimit; 0 for Apache's defaults.
	Tick                 time.Duration
	InitLimit, SyncLimit int
	// ConnectLimit is how many ticks one attempt to reach the leader may take (connectToLearnerMasterLimit); 0 for InitLimit.
	// ConnectRetry is the time between two attempts; 0 for 100 ms.
	ConnectLimit int
	ConnectRetry time.Duration
	// ObserverMasterPort is where followers feed observers, 0 if none does. While this member observes, it connects to one of
	// them rather than to the leader; any of them may be one that does not, and then the next is tried. While it follows, it
	// feeds observers there, if there is ListenObservers.
	ObserverMasterPort int
	// MinNotification and MaxNotification bound how often votes are repeated; 0 for 200 ms and a minute.
	MinNotification, MaxNotification time.Duration
	// MaxSnapSyncs and MaxDiffSyncs are how many observers may be sent the state, or what they lack, at a time; 0 for 10 and 100.
	MaxSnapSyncs, MaxDiffSyncs int
	// CommitLog is how many transactions are kept for learners that come back; 0 for 500.
	CommitLog int
	// ReplayFactor is how long the log that a learner lacks may be, as a part of a state (snapshotSizeFactor); 0 for 0.33,
	// negative for never.
	ReplayFactor float64
	// MaxPacket bounds a packet of the quorum protocol in bytes.
	MaxPacket int
	// MaxWaiting is how many bytes of transactions may wait for the disk or the machine; 0 for 64 MiB.
	MaxWaiting int
	// Now is a clock that never goes back, as a distance from a fixed moment; nil for the process's own.
	Now func() time.Duration
	// Logger is required.
	Logger *slog.Logger
}

// Listen opens a port of this member at all of the addresses.
type Listen func(ctx context.Context, at []wire.Address) (net.Listener, error)

func (c *Config) defaults() {
	if c.LastSeen == nil {
		c.LastSeen = c.Active
	}
	if c.DialElection == nil {
		c.DialElection = c.Dial
	}
	if c.Tick == 0 {
		c.Tick = 2 * time.Second
	}
	if c.InitLimit == 0 {
		c.InitLimit = 10
	}
	if c.SyncLimit == 0 {
		c.SyncLimit = 5
	}
	if c.ConnectLimit == 0 {
		c.ConnectLimit = c.InitLimit
	}
	if c.CommitLog == 0 {
		c.CommitLog = 500
	}
	if c.ReplayFactor == 0 {
		c.ReplayFactor = 0.33
	}
	if c.MaxWaiting == 0 {
		c.MaxWaiting = defaultWaiting
	}
	if c.Now == nil {
		began := time.Now()
		c.Now = func() time.Duration { return time.Since(began) }
	}
}

// Errors of this package.
var (
	// ErrStopped is for calls after the end of Run.
	ErrStopped = errors.New("the member has stopped")
)

// Peer is one member of an ensemble. Its methods may be called from any goroutine.
type Peer struct {
	cfg     Config
	log     *slog.Logger
	zab     *zab.Peer // belongs to the loop
	mesh    *mesh.Mesh
	links   *link.Endpoint
	members atomic.Pointer[directory]
	waiting budget
	uplink  atomic.Pointer[uplink] // of a learner, while clients are served

	// inbox is what happens. What comes on connections has a token of ahead for as long as it waits there.
	inbox    *queue[func()]
	ahead    chan struct{}
	ports    struct{ election, quorum, observers *port }
	disk     *disk
	machine  *queue[job]
	applied  *queue[[]zab.Entry] // lists that the machine has applied, for the loop to use again
	stopped  chan struct{}       // closed when the loop has ended
	applying sync.Mutex          // held by who calls the machine
	tasks    sync.WaitGroup

	loop loop

	// Metrics may be read at any time.
	Metrics Metrics
}

// New loads the store into the machine. Run must be called, or Close.
func New(ctx context.Context, cfg Config) (*Peer, error) {
	cfg.defaults()
	p := &Peer{
		cfg: cfg, log: cfg.Logger, waiting: budget{limit: cfg.MaxWaiting},
		ahead: make(chan struct{}, readAhead), inbox: newQueue[func()](), machine: newQueue[job](), applied: newQueue[[]zab.Entry](), stopped: make(chan struct{}),
	}
	p.disk = &disk{p: p, store: cfg.Store, jobs: newQueue[write]()}
	dir, err := newDirectory(cfg.MultiAddress, cfg.Active, cfg.LastSeen)
	if err != nil {
		return nil, err
	}
	p.members.Store(dir)
	opts, err := p.load(ctx)
	if err != nil {
		return nil, err
	}
	if p.zab, err = zab.New(opts); err != nil {
		return nil, err
	}
	p.loop = newLoop(p)
	p.loop.alone = newAlone(&p.cfg)
	timeout := time.Duration(cfg.SyncLimit) * cfg.Tick
	p.mesh = mesh.New(mesh.Config{
		Self: cfg.ID, Addresses: dir.election[cfg.ID], MultiAddress: cfg.MultiAddress, Dial: cfg.DialElection, Timeout: timeout,
		Lookup:        func(sid int64) []wire.Address { return p.members.Load().election[sid] },
		Reach:         func(sid int64, ok bool) { p.inbox.push(func() { p.zab.Reachable(sid, ok) }) },
		Authenticator: cfg.Authenticator, Logger: cfg.Logger,
	})
	p.links = link.New(link.Config{
		Handler: handler{p}, NewOwner: newContact, Dial: cfg.Dial, Authenticator: cfg.Authenticator, Timeout: timeout, MaxPacket: cfg.MaxPacket, Logger: cfg.Logger,
	})
	p.ports.election = newPort("elections", cfg.Election, func(l net.Listener) { _ = p.mesh.Serve(l) }, cfg.ListenElection, cfg.Logger)
	p.ports.quorum = newPort("learners", cfg.Quorum, p.links.Serve, cfg.ListenQuorum, cfg.Logger)
	p.ports.observers = newPort("observers", nil, p.links.Serve, cfg.ListenObservers, cfg.Logger)
	return p, nil
}

// Run is the member's life. It returns nil when ctx ends, and otherwise why the member cannot go on; the process
// should end then. The store is closed.
func (p *Peer) Run(ctx context.Context) error {
	listening, stop := context.WithCancel(context.Background())
	defer stop()
	p.tasks.Go(func() { p.ports.election.run(listening) })
	p.tasks.Go(func() { p.ports.quorum.run(listening) })
	p.tasks.Go(func() { p.ports.observers.run(listening) })
	var workers sync.WaitGroup
	workers.Go(p.disk.run)
	workers.Go(p.runMachine)
	err := p.loop.run(ctx)
	close(p.stopped)
	p.loop.dial() // ends the attempt to reach the leader
	stop()
	p.mesh.Close()
	p.links.Close()
	p.loop.drain()
	p.tasks.Wait()
	p.disk.jobs.close()
	p.machine.close()
	workers.Wait()
	p.disk.drop(p.disk.jobs.take())
	return errors.Join(err, p.cfg.Store.Close())
}

// bring has f run in the loop: here and now if nobody is in it.
func (p *Peer) bring(f func()) {
	p.inbox.add(f)
	p.loop.bring()
	p.machine.nudge()
}

// carry is bring for those who may call the machine, too: who hold nothing that it may wait for.
func (p *Peer) carry(f func()) {
	p.inbox.add(f)
	p.loop.bring()
	p.applyHere()
}

// call runs f in the loop and waits for it.
func (p *Peer) call(ctx context.Context, f func()) error {
	done := make(chan struct{})
	p.inbox.push(func() { f(); close(done) })
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.stopped:
		return ErrStopped
	}
}

// Propose puts transactions before the ensemble: those of a leader, whose first has the number that the machine was
// told with its role, and then one after the other. It waits while too much is under way. When the member does not lead
// any more the batch is dropped; the machine hears of that by Serve. The goroutine that calls the machine must not call
// it, since it would wait for itself.
func (p *Peer) Propose(ctx context.Context, b Batch) error {
	if err := p.room(ctx); err != nil {
		return err
	}
	if err := p.links.Pace(ctx); err != nil {
		return err
	}
	p.waiting.add(len(b.Records)) // until it is durable
	p.bring(func() { p.loop.propose(b) })
	return nil
}

// room waits for room in the budget.
func (p *Peer) room(ctx context.Context) error {
	select {
	case <-p.stopped:
		return ErrStopped
	default:
	}
	free := p.waiting.full()
	if free == nil {
		return nil
	}
	select {
	case <-free:
		return nil
	case <-p.stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Forward sends requests of this learner's clients to the leader. They are dropped if the connection is not that of the
// role, Role.Uplink, any more; the machine hears of that by Serve. There are n; they are not kept.
func (p *Peer) Forward(uplink zab.Link, n int, requests iter.Seq[*wire.ClientRequest]) {
	if u := p.uplink.Load(); u != nil && zab.Link(u.conn.ID()) == uplink {
		u.forward(0, n, requests)
	}
}

// Ask sends messages to the leader: REVALIDATE. They are dropped if there is none; the machine hears of that by Serve.
func (p *Peer) Ask(messages ...*zab.Message) {
	p.inbox.push(func() {
		for _, m := range messages {
			p.loop.ask(0, m)
		}
	})
}

// Reply answers a learner, if it is still there: a REVALIDATE.
func (p *Peer) Reply(to zab.Link, m *zab.Message) {
	p.inbox.push(func() { p.zab.Reply(to, m) })
}

// Sync answers a learner's sync with m, once everything that was proposed before is committed and on its way to it.
func (p *Peer) Sync(to zab.Link, m *zab.Message) {
	p.inbox.push(func() { p.zab.Sync(to, m) })
}

// ConfirmRead asks a quorum whether this member still leads. The answer comes by Machine.Confirmed, behind everything that
// was committed when it was asked.
func (p *Peer) ConfirmRead(token uint64) {
	p.inbox.push(func() { p.zab.ConfirmRead(token) })
}

// Reconfigure has change make a configuration of the one in force, and tells whether that can be proposed now: none may
// be under way, and a quorum of it must be in sync. The errors are those of package zab, and change's own, which comes
// between these two. change must not call the peer.
func (p *Peer) Reconfigure(ctx context.Context, change func(active *zab.Membership) (*zab.Membership, error)) error {
	var err error
	if cerr := p.call(ctx, func() { err = p.reconfigure(change) }); cerr != nil {
		return cerr
	}
	return err
}

func (p *Peer) reconfigure(change func(active *zab.Membership) (*zab.Membership, error)) error {
	if err := p.zab.CanReconfig(); err != nil {
		return err
	}
	next, err := change(p.zab.Active())
	if err != nil {
		return err
	}
	return p.zab.CheckReconfig(next)
}

// HandOver lets this leader give up its role without losing anything. farewell, which may be nil, is what learners that
// know of it are told at the end. One that leaves is about to end: nobody is to count on it.
func (p *Peer) HandOver(ctx context.Context, farewell zab.Farewells, leaves bool) error {
	failpoint.Pass(failpoint.HandOver)
	var err error
	if cerr := p.call(ctx, func() { err = p.zab.HandOver(farewell, leaves) }); cerr != nil {
		return cerr
	}
	return err
}

// CallOff ends a hand-over that has not come about by now.
func (p *Peer) CallOff(ctx context.Context) error { return p.call(ctx, p.zab.CallOff) }

// IfLeading calls f by the peer's own goroutine if this member leads in that epoch. f must not wait.
func (p *Peer) IfLeading(epoch int64, f func()) {
	p.inbox.push(func() {
		if s := p.zab.Status(); s.State == zab.Leading && s.Serving() && s.Epoch == epoch {
			f()
		}
	})
}

// Resync tells that the machine's state is not what the log makes of it. The member stops serving; its state is loaded anew
// from the disk, by Machine.Restore, and then taken from the leader, unless this member becomes that.
func (p *Peer) Resync(reason string) {
	p.inbox.push(func() { p.zab.Resync(reason) })
}

// Roll lets the next transaction begin a new file of the log.
func (p *Peer) Roll() { p.disk.jobs.push(write{roll: true}) }

// Status is what the member is.
func (p *Peer) Status(ctx context.Context) (zab.Status, error) {
	var s zab.Status
	if err := p.call(ctx, func() { s = p.zab.Status() }); err != nil {
		return zab.Status{}, err
	}
	return s, nil
}

// load brings store and machine together and says where the agreement begins.
func (p *Peer) load(ctx context.Context) (zab.Options, error) {
	c := &p.cfg
	state := c.Machine.NewState()
	recent := &tail{keep: 2 * c.CommitLog}
	loaded, err := c.Store.Load(ctx, state, func(entry []byte) error {
		recent.add(entry)
		return state.Apply(entry)
	})
	if err != nil {
		state.Close()
		return zab.Options{}, err
	}
	if loaded.Fresh && !loaded.Unknown { // a snapshot would vouch for what is unknown; the leader's state comes first
		source := state.Source(0)
		info, err := c.Store.WriteSnapshot(ctx, source)
		source.Close()
		loaded.Snapshot = &info
		if err != nil {
			state.Close()
			return zab.Options{}, err
		}
	}
	last, base := loaded.LastZxid, int64(0)
	if loaded.Snapshot != nil {
		base = loaded.Snapshot.Zxid
	}
	if loaded.Unknown {
		last = -1
	}
	o := zab.Options{
		ID: c.ID, Active: c.Active, LastSeen: c.LastSeen, Parse: p.parse, Reconfig: c.Reconfig,
		Last: last, Applied: last, Recent: recent.entries, RecentAfter: recent.before(base),
		Tick: c.Tick, InitLimit: c.InitLimit, SyncLimit: c.SyncLimit, MaxSnapSyncs: c.MaxSnapSyncs, MaxDiffSyncs: c.MaxDiffSyncs,
		MinNotification: c.MinNotification, MaxNotification: c.MaxNotification, CommitLog: c.CommitLog, ConnectRetry: c.ConnectRetry,
		FeedObservers: c.ObserverMasterPort != 0 && c.ListenObservers != nil,
	}
	o.Replayable = p.replayable
	if o.Current, err = epoch(c.Store, storage.CurrentEpoch, loaded.LastZxid); err == nil {
		o.Accepted, err = epoch(c.Store, storage.AcceptedEpoch, loaded.LastZxid)
	}
	if err != nil {
		state.Close()
		return zab.Options{}, fmt.Errorf("epochs: %w", err)
	}
	state.Loaded(loaded)
	c.Machine.Restore(state)
	return o, nil
}
