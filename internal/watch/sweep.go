package watch

import "slices"

// sweepRun is how many handles one Add looks at, at most: events wait for it. It is the room of some blocks.
const sweepRun = 128

// sweep is the way of a watcher's list through the hands of its Adds, a few handles each: those that are not stale go
// on into a new list. One that came true again may be in the old list several times, and the new one gets it once.
type sweep struct {
	rest list              // the old list
	met  map[handle]uint64 // what the new list holds: bits by the lowest bits of the handles
}

// meets notes that h goes into the new list, and tells whether it is not there already. Without a sweep, nil, there is
// no telling.
func (s *sweep) meets(h handle) bool {
	if s == nil {
		return true
	}
	key, bit := h>>6, uint64(1)<<(h&63)
	bits := s.met[key]
	s.met[key] = bits | bit
	return bits&bit == 0
}

// sweep goes on with taking the stale handles out of the list of id, or begins to.
func (m *Manager) sweep(id ID) {
	var room [sweepRun]handle
	handles := m.roster.sift(id, room[:0])
	slices.Sort(handles)
	handles = slices.DeleteFunc(slices.Compact(handles), func(h handle) bool {
		s := &m.shards[h.shard()]
		s.mu.Lock()
		defer s.mu.Unlock()
		return !s.waits(h.entry(), h.table(), id)
	})
	m.roster.put(id, handles)
}

// sift takes handles of id that are to be looked at, as many as hs has room for. The rest of a longer list waits in a
// sweep.
func (r *roster) sift(id ID, hs []handle) []handle {
	l := r.lane(id)
	l.mu.Lock()
	defer l.mu.Unlock()
	rec, s := l.record(id), l.sweeps[id]
	if s == nil {
		if int(rec.n) <= cap(hs) {
			return l.take(&rec.list, hs)
		}
		s = &sweep{rest: rec.list, met: make(map[handle]uint64)}
		rec.list = list{}
		if l.sweeps == nil {
			l.sweeps = make(map[ID]*sweep)
		}
		l.sweeps[id] = s
	}
	return l.take(&s.rest, hs)
}

// put gives handles that are not stale back to the list of id. With the last of them its sweep ends.
func (r *roster) put(id ID, hs []handle) {
	l := r.lane(id)
	l.mu.Lock()
	defer l.mu.Unlock()
	rec, s := l.record(id), l.sweeps[id]
	for _, h := range hs {
		if s.meets(h) {
			l.append(&rec.list, h)
		}
	}
	if s != nil && s.rest.n == 0 {
		delete(l.sweeps, id)
	}
}
