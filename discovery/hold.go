package discovery

import "time"

// held are instances that are kept although their nodes are missing.
type held struct {
	missing map[string]Instance // by where they listen: who comes back may have another node
	known   int                 // how many there were before
	timer   *time.Timer

	before []Instance // those known before servers were away, while they may be held
	until  time.Time
}

// alert is called when servers were away: before are the instances known until then.
// Until a time, in which sessions expire that could not be kept alive, too many that
// are missing are held.
func (h *held) alert(before []Instance, until time.Time) { h.before, h.until = before, until }

// begin keeps those known before that are not there now, if they are too many. It
// does for each alert until that has led to a hold that has ended.
func (h *held) begin(now []Instance, at time.Time, threshold float64, grace time.Duration) {
	if at.After(h.until) {
		h.before = nil
	}
	if enough(len(now), len(h.before), threshold) {
		return
	}
	if h.timer == nil {
		h.timer = time.NewTimer(grace)
		h.missing = make(map[string]Instance)
	}
	h.known = max(h.known, len(h.before))
	for _, in := range h.before {
		h.missing[in.HostPort()] = in
	}
}

func enough(now, known int, threshold float64) bool { return float64(now) >= threshold*float64(known) }

// keep adds what is kept to a snapshot, or ends it if enough are there.
func (h *held) keep(s *Snapshot, threshold float64) {
	if h.timer == nil {
		return
	}
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
