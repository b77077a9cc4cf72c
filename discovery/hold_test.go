package discovery

import (
	"testing"
	"time"
)

// Instances whose sessions expire soon after servers were away are held, once; those
// that leave later are not.
func TestHeldAfterExpiry(t *testing.T) {
	all := []Instance{{ID: "a", Address: "a"}, {ID: "b", Address: "b"}, {ID: "c", Address: "c"}, {ID: "d", Address: "d"}}
	back := time.Now()
	publish := func(h *held, n int, at time.Time) Snapshot {
		s := Snapshot{Instances: append([]Instance{}, all[:n]...)}
		h.begin(s.Instances, at, 0.5, time.Hour)
		h.keep(&s, 0.5)
		return s
	}
	var h held
	defer h.stop()
	h.alert(all, back.Add(10*time.Second))
	for i, step := range []struct{ n, held int }{{4, 0}, {2, 0}, {1, 3}, {0, 4}, {1, 3}, {2, 0}, {1, 0}} {
		if s := publish(&h, step.n, back.Add(time.Duration(i)*time.Second)); s.Held != step.held || len(s.Instances) != step.n+step.held {
			t.Errorf("step %d: %+v", i, s)
		}
	}
	var late held
	defer late.stop()
	late.alert(all, back.Add(10*time.Second))
	for i, n := range []int{4, 1} {
		if s := publish(&late, n, back.Add(time.Duration(i)*11*time.Second)); s.Held != 0 || len(s.Instances) != n {
			t.Errorf("late, %d: %+v", n, s)
		}
	}
}
