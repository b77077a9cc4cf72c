package ensemble

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

// monitored is what the command monitor of a member says.
type monitored map[string]any

func (f monitored) of(name string) float64 { n, _ := f[name].(float64); return n }

// get is what a member's admin server answers.
func (w *world) get(sid int, path string) string {
	w.t.Helper()
	resp, err := http.Get("http://" + w.Server(sid).AdminAddr() + path)
	w.must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	w.must(err)
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("%s of %d: %d %s", path, sid, resp.StatusCode, body)
	}
	return string(body)
}

func (w *world) monitor(sid int) (f monitored) {
	w.t.Helper()
	w.must(json.Unmarshal([]byte(w.get(sid, "/commands/monitor")), &f))
	return f
}

// TestMetrics has an ensemble write and read, and looks at what its members count.
func TestMetrics(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	w := &world{t: t, ctx: t.Context(), size: 4, Ensemble: harness.NewEnsemble(t, harness.EnsembleConfig{Admin: true, Seats: []harness.Seat{
		{Subject: harness.Quoll}, {Subject: harness.Quoll}, {Subject: harness.Quoll}, {Subject: harness.Quoll, Observer: true},
	}})}
	w.Start()
	leader := w.Leader()
	clients := map[int]*client.Client{}
	for sid := 1; sid <= w.size; sid++ {
		clients[sid] = w.dial(sid)
	}
	w.create(clients[leader], "/space")
	monitor := func() map[int]monitored { // with nothing under way
		all := map[int]monitored{}
		for sid, c := range clients {
			w.must(c.Sync(w.ctx, "/"))
			all[sid] = w.monitor(sid)
		}
		return all
	}
	const writes, reads = 100, 20
	var before, after map[int]monitored
	for attempt := 0; before == nil || elected(before, after); attempt++ { // on a machine that stands still now and then
		before = monitor()
		for i := range writes {
			w.create(clients[1+i%w.size], fmt.Sprintf("/space/%d-%d", attempt, i))
		}
		for range reads {
			for _, c := range clients {
				_, _, err := c.Get(w.ctx, "/space/0-0")
				w.must(err)
			}
		}
		after = monitor()
		leader = w.Leader()
	}
	grew := func(sid int, name string) int { return int(after[sid].of(name) - before[sid].of(name)) }
	n := grew(leader, "proposal_count") // with those of sessions, if one was opened anew
	if n < writes {
		t.Fatalf("%d proposals for %d writes", n, writes)
	}
	for sid := range clients {
		want := map[string]int{
			"request_commit_queued": n, "cnt_propagation_latency": n, "cnt_space_write_per_namespace": writes, "cnt_space_read_per_namespace": reads,
		}
		state, some := "", []string{"cnt_fsynctime", "cnt_sync_processor_batch_size", "sync_processor_request_queued", "cnt_proposal_ack_creation_latency",
			"cnt_sync_processor_queue_flush_time_ms", "looking_count", "cnt_unavailable_time", "cnt_election_time", "cnt_dbinittime", "quorum_size"}
		switch sid {
		case leader:
			state = "leading - broadcast"
			want["cnt_quorum_ack_latency"] = n
			some = append(some, "cnt_leader_unavailable_time", "leader_uptime", "min_proposal_size", "max_proposal_size", "last_proposal_size")
			for voter := 1; voter <= 3; voter++ {
				some = append(some, fmt.Sprintf("cnt_%d_ack_latency", voter))
			}
			if fed := after[sid].of("diff_count") + after[sid].of("snap_count"); fed < 3 {
				t.Errorf("%v learners were brought in line", fed)
			}
			if ends := after[sid].of("cnt_inflight_diff_count") + after[sid].of("cnt_inflight_snap_count"); ends < 6 {
				t.Errorf("%v beginnings and ends of that", ends)
			}
			if syncs, ok := after[sid]["pending_syncs"]; !ok || syncs != 0.0 {
				t.Errorf("pending_syncs is %v", syncs)
			}
		case 4:
			state = "observing - broadcast"
			want["learner_commit_received_count"], want["cnt_commit_propagation_latency"] = n, n
			some = append(some, "cnt_observer_sync_time")
		default:
			state = "following - broadcast"
			want["learner_proposal_received_count"], want["learner_commit_received_count"] = n, n
			want["cnt_proposal_latency"], want["cnt_commit_propagation_latency"] = n, n
			some = append(some, "cnt_follower_sync_time")
		}
		for name, by := range want {
			if got := grew(sid, name); got != by {
				t.Errorf("%s of %d (%s) grew by %d, want %d", name, sid, state, got, by)
			}
		}
		// A member's own disk may be behind the quorum's.
		until(t, fmt.Sprintf("%d says that it has synced", sid), func() bool {
			return w.monitor(sid).of("sync_processor_request_queued")-before[sid].of("sync_processor_request_queued") >= writes
		})
		for _, name := range some {
			until(t, fmt.Sprintf("%s of %d (%s) is more than 0", name, sid, state), func() bool { return w.monitor(sid).of(name) > 0 })
		}
		if got := after[sid]["peer_state"]; got != state {
			t.Errorf("peer_state of %d is %v, want %s", sid, got, state)
		}
		w.compareProviders(sid, after[sid])
	}
}

// elected tells whether somebody has looked for a leader in between.
func elected(before, after map[int]monitored) bool {
	for sid := range before {
		if before[sid].of("looking_count") != after[sid].of("looking_count") {
			return true
		}
	}
	return false
}

// compareProviders sees that Prometheus is told the same.
func (w *world) compareProviders(sid int, f monitored) {
	w.t.Helper()
	samples := map[string]float64{}
	for line := range strings.Lines(w.get(sid, "/metrics")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		samples[name], _ = strconv.ParseFloat(value, 64)
	}
	for there, here := range map[string]string{
		"quorum_size": "quorum_size", "learner_proposal_received_count": "learner_proposal_received_count", "max_proposal_size": "max_proposal_size",
		"quorum_ack_latency_count": "cnt_quorum_ack_latency", "unavailable_time_count": "cnt_unavailable_time",
		`write_per_namespace_count{key="space"}`: "cnt_space_write_per_namespace", `read_per_namespace_sum{key="space"}`: "sum_space_read_per_namespace",
	} {
		if samples[there] != f.of(here) {
			w.t.Errorf("%s of %d is %v, and %s %v", there, sid, samples[there], here, f.of(here))
		}
	}
}

// until waits until something is so of which nobody tells.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
