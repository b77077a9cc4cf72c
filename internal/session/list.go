package session

import (
	"cmp"
	"slices"
)

// Record is what a snapshot keeps of a session.
type Record struct {
	ID      int64
	Timeout int32 // ms
}

// Len is the number of sessions.
func (t *Tracker) Len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.sessions)
}

// LenLocal is how many of them are local.
func (t *Tracker) LenLocal() (n int) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, s := range t.sessions {
		if s.local.Load() {
			n++
		}
	}
	return n
}

// AppendCommitted appends the sessions of the replicated state, by number.
func (t *Tracker) AppendCommitted(rs []Record) []Record {
	from := len(rs)
	t.mu.RLock()
	for id, s := range t.sessions {
		if s.committed {
			rs = append(rs, Record{id, s.Timeout()})
		}
	}
	t.mu.RUnlock()
	slices.SortFunc(rs[from:], func(a, b Record) int { return cmp.Compare(a.ID, b.ID) })
	return rs
}

// Expiry is the sessions that expire at one time unless they are touched.
type Expiry struct {
	At  int64   // ms, of the tracker's clock
	IDs []int64 // ascending
}

// Expiries lists all sessions by the time at which they expire. Sessions that
// have expired and wait to be removed are left out.
func (t *Tracker) Expiries() []Expiry {
	byTime := make(map[int64][]int64)
	t.mu.RLock()
	for id, s := range t.sessions {
		if s.next != nil {
			at := s.Deadline()
			byTime[at] = append(byTime[at], id)
		}
	}
	t.mu.RUnlock()
	list := make([]Expiry, 0, len(byTime))
	for at, ids := range byTime {
		slices.Sort(ids)
		list = append(list, Expiry{at, ids})
	}
	slices.SortFunc(list, func(a, b Expiry) int { return cmp.Compare(a.At, b.At) })
	return list
}
