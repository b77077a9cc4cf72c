package session

import (
	"cmp"
	"slices"
	"sync"
)

// Tracker holds the sessions of a server and says which have expired.
//
// Time is cut into intervals of one tick. A session that is touched at time
// now expires at the end of the interval in which now plus its time-out lies:
// never early, and up to a tick late. All sessions of one interval expire
// together, and the intervals expire in order.
//
// Touch is called for every batch of requests, so it only stores the new
// deadline. The session stays in the bucket where it lies until that bucket is
// due, and is moved then. Only a touch that brings the deadline before the
// session's bucket, after a reconnect with a shorter time-out, moves it at once.
//
// All methods are safe for concurrent use.
type Tracker struct {
	tick int64 // ms

	mu       sync.RWMutex
	sessions map[int64]*Session
	buckets  map[int64]*bucket // by the time at which they are due
	due      int64             // the next bucket to look at
}

// bucket is a ring of the sessions to look at when it is due.
type bucket struct {
	head Session // only its links are used
	n    int
}

// NewTracker returns a Tracker without sessions. The tick is in milliseconds
// and positive.
func NewTracker(tick int32, now int64) *Tracker {
	t := &Tracker{
		tick:     int64(tick),
		sessions: make(map[int64]*Session),
		buckets:  make(map[int64]*bucket),
	}
	t.due = t.roundUp(now)
	return t
}

// roundUp gives the end of the interval in which time lies.
func (t *Tracker) roundUp(time int64) int64 { return (time/t.tick + 1) * t.tick }

// Track adds the session, or finds it, and touches it. It tells whether the
// session is new.
func (t *Tracker) Track(id int64, timeout int32, now int64) (s *Session, added bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.track(id, timeout, now)
}

func (t *Tracker) track(id int64, timeout int32, now int64) (s *Session, added bool) {
	s = t.sessions[id]
	if s == nil {
		s, added = &Session{id: id}, true
		s.timeout.Store(timeout)
		t.sessions[id] = s
	}
	t.reset(s, t.roundUp(now+int64(timeout)))
	return s, added
}

// TrackLocal adds a session that is none of the replicated state.
func (t *Tracker) TrackLocal(id int64, timeout int32, now int64) *Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, _ := t.track(id, timeout, now)
	s.local.Store(true)
	return s
}

// Commit marks a session as part of the replicated state, once its
// createSession transaction is applied or it was read from a snapshot. A
// session that is not tracked yet is added, as by Track.
func (t *Tracker) Commit(id int64, timeout int32, now int64) *Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.sessions[id]
	if s == nil {
		s, _ = t.track(id, timeout, now)
	}
	s.timeout.Store(timeout)
	s.committed = true
	s.local.Store(false)
	return s
}

// Get finds a session; nil when there is none.
func (t *Tracker) Get(id int64) *Session {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.sessions[id]
}

// Touch says that the client of s was heard of at time now; timeout is that of
// the connection it came through, in milliseconds. It is false, and changes
// nothing, when the session is closing.
func (t *Tracker) Touch(s *Session, timeout int32, now int64) bool {
	if s.closing.Load() {
		return false
	}
	d := t.roundUp(now + int64(timeout))
	if s.deadline.Load() == d {
		return true
	}
	s.deadline.Store(d)
	if d < s.queued.Load() {
		t.mu.Lock()
		t.requeue(s)
		t.mu.Unlock()
	}
	return true
}

// SetClosing marks the session, so that it can no longer be touched and makes
// no more changes.
func (t *Tracker) SetClosing(id int64) {
	if s := t.Get(id); s != nil {
		s.closing.Store(true)
	}
}

// Remove forgets the session once its closeSession transaction is applied, and
// tells whether it was there.
func (t *Tracker) Remove(id int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.sessions[id]
	if s == nil {
		return false
	}
	t.forget(s)
	return true
}

func (t *Tracker) forget(s *Session) {
	s.closing.Store(true)
	delete(t.sessions, s.id)
	t.unlink(s)
}

// Due gives the sessions that have expired by now, in the order of the
// intervals and by number within one, and marks them as closing. They stay
// tracked until Remove. Sessions that are being closed already are left out.
func (t *Tracker) Due(now int64, expire func(*Session)) {
	for {
		expired, more := t.poll(now)
		for _, s := range expired {
			expire(s)
		}
		if !more {
			return
		}
	}
}

// poll takes the next bucket that is due by now and gives what expires with it.
func (t *Tracker) poll(now int64) (expired []*Session, more bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	more = t.next(now, func(s *Session) {
		t.unlink(s)
		if s.closing.CompareAndSwap(false, true) {
			expired = append(expired, s)
		}
	})
	slices.SortFunc(expired, func(a, b *Session) int { return cmp.Compare(a.id, b.id) })
	return expired, more
}

// Keep is Due on a server that decides about local sessions only: of others, what
// would expire is looked at again after its time-out. Sessions that never became
// part of the replicated state are forgotten. What it gives to expire is local no
// more.
func (t *Tracker) Keep(now int64, expire func(*Session)) {
	for _, s := range t.keep(now) {
		expire(s)
	}
}

// keep gives the local sessions that expire, by number.
func (t *Tracker) keep(now int64) (expired []*Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.next(now, func(s *Session) {
		switch {
		case s.Globalize():
			t.unlink(s)
			s.closing.Store(true)
			expired = append(expired, s)
		case !s.committed && s.deadline.Load() <= now: // it was not made global just now
			t.forget(s)
		default:
			t.unlink(s)
			t.link(s, t.roundUp(now+int64(s.timeout.Load())))
		}
	}) {
	}
	slices.SortFunc(expired, func(a, b *Session) int { return cmp.Compare(a.id, b.id) })
	return expired
}

// next empties the next bucket that is due by now: over takes what was not heard
// of out of it. It is false if no other bucket can be due. The lock is held.
func (t *Tracker) next(now int64, over func(*Session)) (more bool) {
	if now < t.due {
		return false
	}
	at := t.due
	t.due += t.tick
	if len(t.buckets) == 0 {
		t.due = max(t.due, t.roundUp(now))
		return false
	}
	b := t.buckets[at]
	if b == nil {
		return true
	}
	for b.n > 0 {
		if s := b.head.next; s.deadline.Load() > at {
			t.requeue(s)
		} else {
			over(s)
		}
	}
	delete(t.buckets, at)
	return true
}

// Renew begins anew with all sessions of the replicated state, as a new leader
// does: each is heard of now, is not closing, and is nobody's. Others are
// forgotten, but those in opening, which are on their way there.
func (t *Tracker) Renew(now int64, opening map[int64]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.buckets)
	t.due = t.roundUp(now)
	for _, s := range t.sessions {
		s.prev, s.next = nil, nil
		if !s.committed && !opening[s.id] {
			t.forget(s)
			continue
		}
		s.closing.Store(false)
		s.owner.Store(0)
		t.reset(s, t.roundUp(now+int64(s.timeout.Load())))
	}
}

// NextDue is the time at which Due has to be called next.
func (t *Tracker) NextDue() int64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.due
}

// reset gives s a new deadline and puts it where it belongs.
func (t *Tracker) reset(s *Session, deadline int64) {
	s.deadline.Store(deadline)
	t.requeue(s)
}

// requeue moves s to the bucket of its deadline, or to the next one that is
// looked at, should the caller's clock have lagged behind that of Due. A Touch
// may set another deadline meanwhile: if it saw the old queued and left, this
// sees its deadline, because each side stores its own field before it loads the
// other's.
func (t *Tracker) requeue(s *Session) {
	for {
		d := s.deadline.Load()
		t.unlink(s)
		t.link(s, max(d, t.due))
		if s.deadline.Load() >= d {
			return
		}
	}
}

func (t *Tracker) link(s *Session, at int64) {
	b := t.buckets[at]
	if b == nil {
		b = new(bucket)
		b.head.prev, b.head.next = &b.head, &b.head
		t.buckets[at] = b
	}
	s.prev, s.next = b.head.prev, &b.head
	s.prev.next, s.next.prev = s, s
	b.n++
	s.queued.Store(at)
}

// unlink takes s out of its bucket; an empty bucket stays until it is due.
func (t *Tracker) unlink(s *Session) {
	if s.next == nil {
		return
	}
	s.prev.next, s.next.prev = s.next, s.prev
	s.prev, s.next = nil, nil
	t.buckets[s.queued.Load()].n--
}
