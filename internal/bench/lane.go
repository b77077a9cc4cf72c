package bench

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// maxBacklog bounds the requests of one session that an open loop has sent
// and that are not answered. What is due beyond that is sent later; its
// latency still counts from when it was due.
const maxBacklog = 1 << 15

// load is what all lanes of a run share.
type load struct {
	base      time.Time // zero of the run's clock
	span      span
	depth     int     // closed loop: requests in flight per session
	rate      float64 // open loop: operations per second, 0 = closed loop
	poisson   bool
	mix       []kind // drawn from evenly; empty sends nothing
	templates [kinds]template
	keys      keyspace
	pick      pickMode
	existing  int64        // znodes that gets and sets choose from
	created   atomic.Int64 // number of the next znode to create
	deleted   atomic.Int64 // number of the next znode to delete
	tickets   atomic.Int64 // operations that may still begin
	limited   bool         // tickets count
	stop      atomic.Bool
	patience  int64 // when replies that are still missing are given up
	all       pulse
	writes    pulse
	trigger   atomic.Int64 // when the change was made that watchers wait for
	pingEvery int64        // nanoseconds
	lanes     int
	// perSession bounds how many operations a session begins; 0 is no bound.
	perSession int64
	// multiCreates tells that the operations of a multi are creates.
	multiCreates bool
	shown        *atomic.Int64 // completions, if somebody looks on
}

func (l *load) now() int64 { return int64(time.Since(l.base)) }

// take asks to begin n operations and returns how many may.
func (l *load) take(n int) int {
	if !l.limited {
		return n
	}
	left := l.tickets.Add(-int64(n))
	if left >= 0 {
		return n
	}
	return max(n+int(left), 0)
}

// exhausted tells that no operation may begin any more.
func (l *load) exhausted() bool { return l.limited && l.tickets.Load() <= 0 }

// lane is a part of the sessions with one goroutine's worth of state: it
// decides what is sent, checks what comes back and records it.
type lane struct {
	*load
	sessions []*session
	rec      *recorder
	rng      *rand.PCG
	zipf     *rand.Zipf
	seq      int64
	schedule *schedule
	turn     int  // open loop: whose turn it is
	blocked  bool // open loop: what is due next waits for replies
	inflight int
	alive    int
	lastPing int64
	onEvent  func(s *session, now int64)
	err      error // why the last session that broke did
	broken   int
}

func newLane(l *load, n int, sessions []*session) *lane {
	ln := &lane{
		load: l, sessions: sessions, alive: len(sessions),
		rec: newRecorder(l.span, &l.all, &l.writes),
		rng: rand.NewPCG(uint64(n)+1, uint64(l.base.UnixNano())),
	}
	ln.rec.shown = l.shown
	if l.pick == pickZipf && l.existing > 0 {
		ln.zipf = rand.NewZipf(rand.New(ln.rng), 1.1, 1, uint64(l.existing-1))
	}
	if l.rate > 0 {
		var jitter *rand.PCG
		if l.poisson {
			jitter = ln.rng
		}
		ln.schedule = newSchedule(0, l.rate, n, l.lanes, jitter)
	}
	ln.adopt()
	ln.seq = int64(n) * (l.existing / int64(max(l.lanes, 1)))
	return ln
}

// push appends one request of the mix to the session's output.
func (l *lane) push(s *session, at int64) {
	k := l.mix[0]
	if len(l.mix) > 1 {
		k = l.mix[below(l.rng, uint64(len(l.mix)))]
	}
	l.pushKind(s, k, at)
}

func (l *lane) pushKind(s *session, k kind, at int64) {
	t := &l.templates[k]
	from := len(s.out)
	s.out = append(s.out, t.frame...)
	b := s.out[from:]
	binary.BigEndian.PutUint32(b[lengthLen:], uint32(s.asked(k, at)))
	for _, off := range t.keys {
		if t.parents {
			l.keys.patchParent(b[off:], int64(below(l.rng, uint64(max(l.keys.parents, 1)))))
			continue
		}
		l.keys.patch(b[off:], l.key(s, k))
	}
	s.begun++
	l.inflight++
}

// key chooses the znode of one operation.
func (l *lane) key(s *session, k kind) int64 {
	switch k {
	case kindWatch:
		return s.begun
	case kindCreate:
		return l.created.Add(1) - 1
	case kindDelete:
		return l.deleted.Add(1) - 1
	}
	return l.existingKey(k)
}

// refill tops the session up to the depth of a closed loop.
func (l *lane) refill(s *session, now int64) {
	n := l.depth - s.inflight
	if l.perSession > 0 {
		n = min(n, int(l.perSession-s.begun))
	}
	if n <= 0 || now >= l.span.to {
		return
	}
	for range l.take(n) {
		l.push(s, now)
	}
}

// adopt makes the lane the owner of its sessions. An earlier run may have left
// requests behind that were not answered in time, or broken sessions.
func (l *lane) adopt() {
	for i, s := range l.sessions {
		s.index, s.begun = i, 0
		l.inflight += s.inflight
		if s.broken != nil {
			l.alive--
		}
	}
}

// dispatch appends every operation of the open loop that is due to the
// session whose turn it is; touched is called for each.
func (l *lane) dispatch(now int64, touched func(*session)) {
	l.blocked = false
	for l.alive > 0 && l.schedule.due() <= now && l.schedule.due() < l.span.to {
		s := l.sessions[l.turn]
		if s.broken == nil && s.inflight >= maxBacklog {
			l.blocked = true
			return
		}
		if l.turn++; l.turn == len(l.sessions) {
			l.turn = 0
		}
		if s.broken != nil {
			continue
		}
		if l.take(1) == 0 {
			l.blocked = true
			return
		}
		l.push(s, l.schedule.due())
		l.rec.sent(l.schedule.due(), now)
		l.schedule.advance()
		touched(s)
	}
}

// rest is how long there is nothing to send at now, at most longest. What has
// become due since dispatch is to be sent at once.
func (l *lane) rest(now int64, longest time.Duration) time.Duration {
	switch {
	case l.schedule == nil || l.schedule.due() >= l.span.to:
		return longest
	case l.blocked:
		return min(time.Millisecond, longest)
	default:
		return min(max(time.Duration(l.schedule.due()-now), 0), longest)
	}
}

// receive takes bytes that arrived on s: it checks and records every reply
// that is complete.
func (l *lane) receive(s *session, p []byte, now int64) error {
	var run int32 // good replies to the oldest entry that are not recorded
	var err error
	for {
		if !s.inBody {
			if len(p) == 0 {
				break
			}
			if p, err = s.header(p); err != nil || !s.inBody {
				break
			}
		}
		if p = s.body(p); s.inBody {
			break
		}
		if run, err = l.reply(s, now, run); err != nil {
			break
		}
	}
	if run > 0 {
		e := &s.ring[s.head&uint32(len(s.ring)-1)]
		l.rec.done(e.kind, e.at, now, run)
	}
	return err
}

// reply handles one complete reply. run counts the good ones of the oldest
// entry of the ring; it is recorded and starts over when that entry is done.
func (l *lane) reply(s *session, now int64, run int32) (int32, error) {
	if s.xid != s.wantXid || s.head == s.tail {
		return run, l.unasked(s, now)
	}
	s.wantXid = nextXid(s.wantXid)
	s.inflight--
	l.inflight--
	e := &s.ring[s.head&uint32(len(s.ring)-1)]
	switch want := l.templates[e.kind].reply; {
	case s.code != proto.OK:
		l.rec.refused(s.code)
	case want != s.length && want != anyLength:
		l.rec.badLen++
	default:
		run++
	}
	if e.n--; e.n > 0 {
		return run, nil
	}
	if run > 0 {
		l.rec.done(e.kind, e.at, now, run)
	}
	s.head++
	return 0, nil
}

// unasked handles what is not the next reply: watch events and pings.
func (l *lane) unasked(s *session, now int64) error {
	switch s.xid {
	case proto.XidNotification:
		s.events++
		if l.onEvent != nil {
			l.onEvent(s, now)
		}
		return nil
	case proto.XidPing:
		return nil
	}
	return fmt.Errorf("reply to request %d where %d is next: %w", s.xid, s.wantXid, errOrder)
}

// ping keeps idle sessions alive; touched is called for each that has
// something to send. It looks at them only now and then.
func (l *lane) ping(now int64, touched func(*session)) {
	if l.pingEvery <= 0 || now-l.lastPing < l.pingEvery/4 {
		return
	}
	l.lastPing = now
	for _, s := range l.sessions {
		if s.broken != nil || now-s.lastSent < l.pingEvery {
			continue
		}
		s.out = append(s.out, pingFrame...)
		touched(s)
	}
}

var pingFrame = jute.AppendInt(jute.AppendInt(jute.AppendInt(nil, 8), proto.XidPing), int32(proto.OpPing))

// lose takes a broken session out of the run.
func (l *lane) lose(s *session, err error) {
	if s.broken != nil {
		return
	}
	s.broken = err
	l.err = err
	l.broken++
	l.alive--
	l.inflight -= s.inflight
	s.inflight = 0
}

// finished tells that nothing more will be sent or is awaited.
func (l *lane) finished(now int64) bool {
	if l.stop.Load() || l.alive == 0 {
		return true
	}
	if now < l.span.to && !l.exhausted() {
		return false
	}
	return l.inflight == 0 || now >= l.patience
}

// below draws evenly from [0, n).
func below(r *rand.PCG, n uint64) uint64 {
	return (r.Uint64() >> 32) * n >> 32
}
