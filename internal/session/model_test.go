package session

import (
	"maps"
	"slices"
)

// model is Apache's ExpiryQueue and the part of SessionTrackerImpl around it:
// every touch moves the session to its bucket at once.
type model struct {
	tick    int64
	next    int64
	expiry  map[int64]int64          // by session
	buckets map[int64]map[int64]bool // sessions, by expiry
	closing map[int64]bool           // by session that exists
}

func newModel(tick, now int64) *model {
	m := &model{
		tick:    tick,
		expiry:  make(map[int64]int64),
		buckets: make(map[int64]map[int64]bool),
		closing: make(map[int64]bool),
	}
	m.next = m.round(now)
	return m
}

func (m *model) round(time int64) int64 { return (time/m.tick + 1) * m.tick }

func (m *model) update(id int64, timeout int32, now int64) {
	m.unqueue(id)
	at := m.round(now + int64(timeout))
	if m.buckets[at] == nil {
		m.buckets[at] = make(map[int64]bool)
	}
	m.buckets[at][id] = true
	m.expiry[id] = at
}

func (m *model) unqueue(id int64) {
	delete(m.buckets[m.expiry[id]], id)
	delete(m.expiry, id)
}

func (m *model) track(id int64, timeout int32, now int64) (added bool) {
	if _, there := m.closing[id]; !there {
		m.closing[id], added = false, true
	}
	m.update(id, timeout, now)
	return added
}

func (m *model) touch(id int64, timeout int32, now int64) bool {
	if closing, there := m.closing[id]; closing || !there {
		return false
	}
	m.update(id, timeout, now)
	return true
}

func (m *model) setClosing(id int64) {
	if _, there := m.closing[id]; there {
		m.closing[id] = true
	}
}

func (m *model) remove(id int64) bool {
	_, there := m.closing[id]
	m.unqueue(id)
	delete(m.closing, id)
	return there
}

// due gives what expires by now, in order, without what was closing already.
func (m *model) due(now int64) (expired []int64) {
	for ; m.next <= now; m.next += m.tick {
		for _, id := range slices.Sorted(maps.Keys(m.buckets[m.next])) {
			if !m.closing[id] {
				m.closing[id] = true
				expired = append(expired, id)
			}
			m.unqueue(id)
		}
		delete(m.buckets, m.next)
	}
	return expired
}
