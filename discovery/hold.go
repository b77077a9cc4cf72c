package discovery

import "time"

// held are instances that are kept although their nodes are missing.
type held struct {
	missing map[string]Instance // by where they listen: who comes back may have another node
	known   int                 // how many there were before
	timer   *time.Timer
}

// begin keeps those of before that are not there now, if they are too many.
func (h *held) begin(before, now []Instance, threshold float64, grace time.Duration) {
	if enough(len(now), len(before), threshold) {
		return
	}
	if h.timer == nil {
		h.timer = time.NewTimer(grace)
		h.missing = make(map[string]Instance)
	}
	h.known = max(h.known, len(before))
	for _, in := range before {
		h.missing[in.HostPort()] = in
	}
}

func enough(now, known int, threshold float64) bool { return float64(now) >= threshold*float64(known) }

// keep adds what is kept to a snapshot, or ends it if enough are there.
func (h *held) keep(s *Snapshot, threshold float64) {
	if enough(len(s.Instances), h.known, threshold) {
		h.end()
		return
	}
	for _, in := range s.Instances {
		delete(h.missing, in.HostPort())
	}
	for _, in := range h.missing {
		s.Instances = append(s.Instances, in)
	}
	s.Held = len(h.missing)
	s.sort()
}

// over yields when the time is over for which instances are kept.
func (h *held) over() <-chan time.Time {
	if h.timer == nil {
		return nil
	}
	return h.timer.C
}

// end keeps none any more.
func (h *held) end() {
	h.stop()
	*h = held{}
}

func (h *held) stop() {
	if h.timer != nil {
		h.timer.Stop()
	}
}
