package zabsim

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/quollhq/quoll/internal/zab"
	"github.com/quollhq/quoll/internal/zab/quorum"
)

// tick is the ensembles' unit of time.
const tick = 200 * time.Millisecond

// Options are what a simulation is told, apart from its seed.
type Options struct {
	// Prepare is called for each peer that starts; tests plant bugs with it.
	Prepare func(*zab.Peer)
	// Consequences looks only for what goes wrong for users: it checks neither that
	// what is said is on the disk, nor on how many disks what is committed is.
	// Bugs are to be found by what they do.
	Consequences bool
	// TruncationIgnored now and then leaves a log as it is that shall be cut, and says
	// that it is done.
	TruncationIgnored bool
	// TornSnapshots lets a crash leave a part of a snapshot that counts as whole.
	TornSnapshots bool
	// SyncFailureIgnored takes a failed sync for a good one, as a server with this
	// bug would.
	SyncFailureIgnored bool
	// NoReconfig, NoObservers leave these out.
	NoReconfig, NoObservers bool
	// Syncs lets learners ask for syncs, and see whether they are in sync then.
	Syncs bool
	// Masters has observers fed by followers, as a rule; there are observers then.
	Masters bool
	// Resyncs lets states be found to differ from what the log makes of them.
	Resyncs bool
	// Trace gets a line for everything that happens, nil for none.
	Trace func(line string)
}

// Report is what happened in a simulation.
type Report struct {
	Seed    uint64
	World   string // what was drawn from the seed
	Events  int
	Virtual time.Duration
	Commits int
	Terms   int
	Reads   int
	Faults  map[string]int
	// Err says what went wrong, nil if nothing did.
	Err error
}

type rng struct{ *rand.Rand }

func (r *rng) chance(p float64) bool { return p > 0 && r.Float64() < p }

// between draws from [lo, hi).
func (r *rng) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(r.Int64N(int64(hi-lo)))
}

// draw is a world's constitution, drawn from the seed. Some faults are off
// entirely: they would hide what others bring about.
type draw struct {
	voters, observers  int
	groups             bool
	reconfig           bool
	replayAll, replay  bool
	window             int
	delay, sync        time.Duration
	notices            float64 // how often the end of a process is noticed at once
	syncFails          float64
	faultEvery, length time.Duration
	writeEvery         time.Duration
	faults             []string
}

func (d draw) String() string {
	return fmt.Sprintf("%d voters, %d observers, groups %v, reconfig %v, replay all %v, log replay %v, window %d, delay %v, sync %v, noticed %.1f, failing syncs %.3f, a fault every %v for %v, a write every %v, faults %v",
		d.voters, d.observers, d.groups, d.reconfig, d.replayAll, d.replay, d.window, d.delay, d.sync, d.notices, d.syncFails, d.faultEvery, d.length, d.writeEvery, d.faults)
}

// world is one ensemble and everything that befalls it.
type world struct {
	clock
	r       *rng
	opts    Options
	draw    draw
	servers []*server
	byID    map[int64]*server
	blocked [][]bool
	votes   [][]ballots
	configs map[string]*zab.Membership
	agreed  committed
	faulty  bool

	links          int
	made           uint64
	events, terms  int
	readsConfirmed int
	nextToken      uint64
	faults         map[string]int
	err            error
}

func (w *world) server(id int64) *server { return w.byID[id] }
func (w *world) tracing() bool           { return w.opts.Trace != nil }

func (w *world) trace(format string, args ...any) {
	if w.opts.Trace != nil {
		w.opts.Trace(fmt.Sprintf("%10.3fms ", float64(w.now)/1e6) + fmt.Sprintf(format, args...))
	}
}

func (w *world) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("after %v: "+format, append([]any{w.now}, args...)...)
		w.trace("VIOLATION: %v", w.err)
	}
}

// Run simulates one ensemble: a time of faults, in which nothing may be lost,
// and then a healed network, in which it must get going again.
func Run(seed uint64, opts Options) (rep Report) {
	w := newWorld(seed, opts)
	defer func() {
		if r := recover(); r != nil {
			w.err = fmt.Errorf("after %v: %v", w.now, r)
			w.trace("%s", debug.Stack())
		}
		rep = Report{Seed: seed, World: w.draw.String(), Events: w.events, Virtual: w.now, Commits: len(w.agreed.log),
			Terms: w.terms, Reads: w.readsConfirmed, Faults: w.faults, Err: w.err}
	}()
	w.trace("%v", w.draw)
	w.begin()
	for w.err == nil && w.next(w.draw.length) {
	}
	if w.err == nil {
		w.heal()
		w.recover()
	}
	return rep
}

func newWorld(seed uint64, opts Options) *world {
	w := &world{
		r: &rng{rand.New(rand.NewPCG(seed, 0x5eed))}, opts: opts, byID: map[int64]*server{},
		configs: map[string]*zab.Membership{}, faults: map[string]int{}, faulty: true,
		agreed: committed{leaders: map[int64]term{}},
	}
	w.draw = w.drawWorld()
	n := w.draw.voters + w.draw.observers
	first := w.firstConfig()
	for i := range n {
		s := &server{w: w, id: int64(i + 1), index: i, rate: 1}
		if w.r.chance(0.3) {
			s.rate = 0.8 + 0.4*w.r.Float64()
		}
		s.offset = w.r.between(time.Second, 2*time.Second)
		s.disk.active, s.disk.lastSeen = first.Text, first.Text
		w.servers = append(w.servers, s)
		w.byID[s.id] = s
		w.blocked = append(w.blocked, make([]bool, n))
		w.votes = append(w.votes, make([]ballots, n))
	}
	return w
}

func (w *world) drawWorld() draw {
	r := w.r
	d := draw{
		voters: 3, reconfig: r.chance(0.3) && !w.opts.NoReconfig, replayAll: r.chance(0.5), replay: r.chance(0.5),
		window: 2 + r.IntN(30), delay: r.between(200*time.Microsecond, 10*time.Millisecond),
		sync: r.between(100*time.Microsecond, 8*time.Millisecond), notices: 0.5,
		faultEvery: r.between(30*time.Millisecond, 400*time.Millisecond),
		length:     r.between(2*time.Second, 8*time.Second),
		writeEvery: r.between(4*time.Millisecond, 60*time.Millisecond),
	}
	if r.chance(0.4) {
		d.voters = 5
	}
	if !w.opts.NoObservers {
		d.observers = max(0, r.IntN(4)-1)
	}
	if w.opts.Masters {
		d.observers = 1 + r.IntN(2)
	}
	d.groups = d.voters == 5 && r.chance(0.3)
	if r.chance(0.3) {
		d.notices = 1
	}
	if r.chance(0.3) {
		d.syncFails = 0.01
	}
	for _, name := range faultNames {
		if r.chance(0.6) {
			d.faults = append(d.faults, name)
		}
	}
	return d
}

func (w *world) syncTime() time.Duration {
	d := w.draw.sync
	if w.r.chance(0.03) && w.faulty {
		d *= 30
	}
	return time.Duration(w.r.Int64N(int64(d))) + 1
}

// firstConfig is the configuration that the ensemble starts with.
func (w *world) firstConfig() *zab.Membership {
	m := &zab.Membership{}
	for i := range w.draw.voters + w.draw.observers {
		m.Members = append(m.Members, zab.Member{ID: int64(i + 1), Observer: i >= w.draw.voters, Addr: "a"})
	}
	return w.config(w.textOf(m, 0))
}

// system is the quorum system over the voters of a configuration.
func (w *world) system(members []zab.Member) (quorum.System, error) {
	var voters []int64
	for _, m := range members {
		if !m.Observer {
			voters = append(voters, m.ID)
		}
	}
	if !w.draw.groups || len(voters) < 4 {
		return quorum.Majority(voters...)
	}
	// Two groups would need both, so there are three: pairs, and the rest with
	// a member that has no weight if there is one too many.
	groups := []quorum.Group{{}, {}, {}}
	for i, id := range voters {
		groups[i%3][id] = 1 + int64(i)%2
	}
	return quorum.Hierarchy(groups...)
}

// textOf is a configuration as text.
func (w *world) textOf(m *zab.Membership, version int64) []byte {
	var b []byte
	for _, s := range m.Members {
		b = fmt.Appendf(b, "%d %t %s\n", s.ID, s.Observer, s.Addr)
	}
	return fmt.Appendf(b, "version=%x", uint64(version))
}

// config is parse for texts that are known to be good.
func (w *world) config(text []byte) *zab.Membership {
	m, err := w.parse(text)
	if err != nil {
		w.fail("configuration %q: %v", text, err)
	}
	return m
}

func (w *world) parse(text []byte) (*zab.Membership, error) {
	if m := w.configs[string(text)]; m != nil {
		return m, nil
	}
	m := &zab.Membership{Text: text}
	rest := string(text)
	for {
		var s zab.Member
		var n int
		if k, _ := fmt.Sscanf(rest, "version=%x", &m.Version); k == 1 {
			break
		}
		if _, err := fmt.Sscanf(rest, "%d %t %s\n", &s.ID, &s.Observer, &s.Addr); err != nil {
			return nil, err
		}
		for n = 0; rest[n] != '\n'; n++ {
		}
		rest = rest[n+1:]
		m.Members = append(m.Members, s)
	}
	q, err := w.system(m.Members)
	if err != nil {
		return nil, err
	}
	m.Quorum = q
	w.configs[string(text)] = m
	return m, nil
}

// describe is everybody's condition.
func (w *world) describe() string {
	var b []byte
	for _, s := range w.servers {
		b = fmt.Appendf(b, "[%d up=%v %v %v leader %d epoch %d/%d log %s applied %d %s", s.id, s.peer != nil, s.status.State, s.status.Phase,
			s.status.Leader, s.disk.current, s.disk.accepted, text(lastOf(s.log)), len(s.state), s.status.Reason)
		if s.peer != nil && s.peer.LastSeen() != s.peer.Active() {
			b = fmt.Appendf(b, " shall be %q", s.peer.LastSeen().Text)
		}
		b = append(b, "] "...)
	}
	return string(b)
}
