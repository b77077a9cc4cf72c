package admin

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/config"
	"github.com/quollhq/quoll/internal/peer"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/tally"
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/txn"
)

func TestEveryWordAnswers(t *testing.T) {
	w := newWorld(t, map[string]string{"4lw.commands.whitelist": "*"})
	w.create("/a", "x")
	for name := range fourLetterWords() {
		got := w.word(name)
		switch name {
		case "hash": // nothing to say so far
		default:
			if got == "" {
				t.Errorf("%s answers nothing", name)
			}
		}
	}
	if got := w.word("srvr"); !strings.Contains(got, "Zxid: 0x0\nMode: standalone\nNode count: 6\n") {
		t.Errorf("srvr: %q", got)
	}
	if w.FourLetter("nope", nil, &strings.Builder{}) {
		t.Error("an unknown word was answered")
	}
	w.SetNode(nil)
	for name, want := range map[string]string{
		"ruok": "imok", "isro": "null", "srvr": notServing + "\n", "mntr": notServing + "\n", "hash": notServing, "stat": notServing + "\n",
	} {
		if got := w.word(name); got != want {
			t.Errorf("%s while nobody serves: %q", name, got)
		}
	}
}

func TestWhitelist(t *testing.T) {
	w := newWorld(t, map[string]string{"4lw.commands.whitelist": "ruok, mntr"})
	if got := w.word("stat"); got != "stat is not executed because it is not in the whitelist.\n" {
		t.Errorf("stat: %q", got)
	}
	if got := w.word("ruok"); got != "imok" {
		t.Errorf("ruok: %q", got)
	}
	if got := w.word("srvr"); !strings.HasPrefix(got, "Zookeeper version: 3.9.4-") {
		t.Errorf("srvr is always allowed: %q", got)
	}
}

func TestTraceMask(t *testing.T) {
	w := newWorld(t, map[string]string{"4lw.commands.whitelist": "*"})
	if got := w.word("gtmk"); got != "306" {
		t.Errorf("gtmk: %q", got)
	}
	var b strings.Builder
	w.FourLetter("stmk", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe}, &b)
	if b.String() != "-2" || w.word("gtmk") != "-2" {
		t.Errorf("stmk: %q, gtmk: %q", b.String(), w.word("gtmk"))
	}
}

func TestJSONAsJackson(t *testing.T) {
	got := string(appendJSON(nil, object{
		{"a", nil}, {"b", true}, {"c", 1}, {"d", int64(-2)}, {"e", 1.0}, {"f", "x\"<\n"}, {"g", []string{"p", "q"}}, {"h", []int64{1, 2}},
		{"i", []object{{{"k", 1}}, {{"k", 2}}}}, {"j", object{}}, {"l", []string(nil)}, {"m", math.NaN()}, {"n", object{{"o", "p"}}},
	}, 0))
	want := `{
  "a" : null,
  "b" : true,
  "c" : 1,
  "d" : -2,
  "e" : 1.0,
  "f" : "x\"<\n",
  "g" : [ "p", "q" ],
  "h" : [ 1, 2 ],
  "i" : [ {
    "k" : 1
  }, {
    "k" : 2
  } ],
  "j" : { },
  "l" : [ ],
  "m" : "NaN",
  "n" : {
    "o" : "p"
  }
}`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// The figures are what Java 17 prints.
func TestJavaDouble(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0.0", 1: "1.0", 1.8824: "1.8824", -2.5: "-2.5", 100: "100.0", 9999999: "9999999.0", 1e7: "1.0E7", 1.25e10: "1.25E10",
		0.001: "0.001", 0.0001: "1.0E-4", math.Inf(1): "Infinity", math.Inf(-1): "-Infinity",
	} {
		if got := javaDouble(f); got != want {
			t.Errorf("%g: %s, want %s", f, got, want)
		}
	}
	if got := javaDouble(math.NaN()); got != "NaN" {
		t.Errorf("NaN: %s", got)
	}
}

func TestLimiter(t *testing.T) {
	now := time.Unix(1000, 0)
	l := limiter{interval: time.Minute}
	for i, step := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {0, false}, {time.Minute, false}, {time.Second, true}, {30 * time.Second, false}, {time.Hour, true}} {
		now = now.Add(step.after)
		if got := l.allow(now); got != step.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
}

func TestLabelsAreBounded(t *testing.T) {
	var c counterSet
	for i := range 2 * maxNamespaces {
		c.add(fmt.Sprint(i))
		c.add("0")
	}
	if got := c.values(); len(got) != maxNamespaces || got["0"] != 2*maxNamespaces+1 {
		t.Errorf("%d labels, %d", len(got), got["0"])
	}
}

func TestQuantiles(t *testing.T) {
	var l tally.Latency
	if got := latencySummary(l.View()).at(0.5); !math.IsNaN(got) {
		t.Errorf("of nothing: %v", got)
	}
	l.Add(1, 3*time.Millisecond)
	for _, q := range []float64{0, 0.5, 0.99, 1} {
		if got := latencySummary(l.View()).at(q); got != 3 {
			t.Errorf("quantile %v of one value: %v", q, got)
		}
	}
	l.Add(98, time.Millisecond)
	l.Add(1, 500*time.Millisecond)
	v := latencySummary(l.View())
	if got := v.at(0.5); got < 0.5 || got > 1.1 {
		t.Errorf("median: %v", got)
	}
	if got := v.at(0.999); got < 250 || got > 500 {
		t.Errorf("99.9 %%: %v", got)
	}
	if v.count != 100 || v.min != 1 || v.max != 500 || v.average() != 6.01 {
		t.Errorf("%+v, average %v", v, v.average())
	}
}

// Quantiles are those of the last ten minutes, whatever came before.
func TestWindows(t *testing.T) {
	var l tally.Latency
	var w windows
	now := time.Unix(1000, 0)
	median := func() float64 { return latencySummary(w.recent("x", l.View(), now)).at(0.5) }
	l.Add(1000, time.Second)
	if got := median(); got < 500 {
		t.Errorf("at first: %v", got)
	}
	for range 15 {
		now = now.Add(windowStep)
		l.Add(10, time.Millisecond)
		median()
	}
	if got := median(); got > 2 {
		t.Errorf("later: %v", got)
	}
	if n := len(w.kept["x"]); n > int(windowLong/windowStep)+2 {
		t.Errorf("%d counts are kept", n)
	}
	now = now.Add(time.Hour)
	median()
	now = now.Add(windowStep)
	if got := median(); !math.IsNaN(got) {
		t.Errorf("after an idle hour: %v", got)
	}
	l.Reset()
	l.Add(1, 4*time.Millisecond)
	if got := median(); got != 4 {
		t.Errorf("after a reset: %v", got)
	}
}

func TestQuotaSets(t *testing.T) {
	w := newWorld(t, nil)
	for _, path := range []string{"/app", "/app/x", "/zookeeper/quota/app", "/zookeeper/quota/app/x"} {
		w.create(path, "")
	}
	for _, path := range []string{"/zookeeper/quota/app", "/zookeeper/quota/app/x"} {
		w.create(path+"/zookeeper_limits", "count=5,bytes=100=;byteHardLimit=200;countHardLimit=-1")
		w.create(path+"/zookeeper_stats", "count=0,bytes=0")
	}
	sets := quotaSets(w.n)
	for i, want := range []int64{10, 400} {
		if got := sets[i].values["app"]; got != want {
			t.Errorf("%s: %d, want %d", sets[i].name, got, want)
		}
	}
	w.apply(txn.Body{Type: proto.OpSetData, Path: "/app/x", Data: []byte("12345"), Version: 1})
	if got := quotaSets(w.n)[3].values["app"]; got != 5 {
		t.Errorf("bytes used: %d", got)
	}
}

func TestMetricNamesAreUnique(t *testing.T) {
	seen := make(map[string]bool)
	for _, list := range [][]metric{gauges(), counters(), summaries(), ownMetrics()} {
		for _, m := range list {
			if seen[m.name] {
				t.Errorf("%s stands twice", m.name)
			}
			seen[m.name] = true
			if m.help == "" {
				t.Errorf("%s has no help", m.name)
			}
		}
	}
}

func TestFailedPipelineShows(t *testing.T) {
	w := newWorld(t, nil)
	if status, body := w.get("/livez"); status != 200 || body != "ok\n" {
		t.Errorf("%d %q", status, body)
	}
	w.log.fail = errors.New("disk is gone")
	if err := w.n.Engine.DeleteContainer("/none", tree.Candidate{}); err != nil {
		t.Fatal(err)
	}
	<-w.n.Engine.Failed()
	for _, path := range []string{"/livez", "/readyz"} {
		if status, body := w.get(path); status != 503 || !strings.Contains(body, "[-] pipeline: ") || !strings.Contains(body, "disk is gone") {
			t.Errorf("%s: %d %q", path, status, body)
		}
	}
}

// What is always 0 stands in the documents as such.
func TestAlwaysZeroIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "### Always 0\n")
	table, _, found := strings.Cut(table, "`learner_handler_qp_size`")
	if !found {
		t.Fatal("there is no such chapter")
	}
	for _, list := range [][]metric{gauges(), counters(), summaries()} {
		for _, m := range list {
			zero := m.num == nil && m.real == nil && m.sum == nil && m.view == nil
			if zero && !strings.Contains(table, "`"+m.name+"`") {
				t.Errorf("%s is always 0 and is not documented", m.name)
			}
		}
	}
}

// TestMember shows what a member of an ensemble says of itself.
func TestMember(t *testing.T) {
	w := newWorld(t, map[string]string{"admin.enableServer": "true", "4lw.commands.whitelist": "*"})
	alone := w.word("mntr")
	for _, name := range []string{"zk_peer_state", "zk_quorum_size", "_ack_latency\t1", "zk_leader_uptime", "zk_pending_syncs"} {
		if strings.Contains(alone, name) {
			t.Errorf("a server that is alone says %s", name)
		}
	}
	if !strings.Contains(alone, "zk_looking_count\t0\n") || !strings.Contains(alone, "zk_cnt_quorum_ack_latency\t0\n") {
		t.Errorf("a server that is alone says\n%s", alone)
	}
	m := &peer.Metrics{}
	m.Elections.Add(2)
	m.Synced.Add(7)
	m.QuorumAge.Add(3, 4*time.Millisecond)
	w.host.ensemble = m
	w.host.feed = Feed{Leads: true, Leading: 5 * time.Second, PendingSyncs: 3}
	w.host.seat = &Seat{ID: 1, Leader: 1, State: "LEADING", Phase: "broadcast", Membership: config.Membership{Members: []config.Member{
		{ID: 1, Role: config.Participant}, {ID: 2, Role: config.Participant}, {ID: 3, Role: config.ObserverRole}}}}
	mntr := w.word("mntr")
	for _, want := range []string{
		"zk_peer_state\tleading - broadcast\n", "zk_quorum_size\t2\n", "zk_leader_uptime\t5000\n", "zk_pending_syncs\t3\n",
		"zk_last_proposal_size\t-1\n", "zk_looking_count\t2\n", "zk_sync_processor_request_queued\t7\n", "zk_cnt_sync_processor_batch_size\t1\n",
		"zk_avg_quorum_ack_latency\t4.0\n", "zk_cnt_quorum_ack_latency\t3\n",
	} {
		if !strings.Contains(mntr, want) {
			t.Errorf("mntr does not say %q:\n%s", want, mntr)
		}
	}
	_, body := w.get("/metrics")
	for _, want := range []string{
		"\nquorum_size 2\n", "\nquorum_ack_latency_count 3\n", "\nquorum_ack_latency{quantile=\"0.9\"} 4\n",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("/metrics lacks %q", want)
		}
	}
	w.word("srst")
	if got := w.word("mntr"); !strings.Contains(got, "zk_looking_count\t0\n") {
		t.Errorf("after srst:\n%s", got)
	}
}

// TestFeed shows who feeds whom.
func TestFeed(t *testing.T) {
	w := newWorld(t, map[string]string{"admin.enableServer": "true", "4lw.commands.whitelist": "*"})
	mntr := func() string { return w.word("mntr") }
	if got := mntr(); strings.Contains(got, "synced_") || strings.Contains(got, "observer_master_id") {
		t.Errorf("a server that is alone says\n%s", got)
	}
	w.host.feed = Feed{Master: 2}
	if got := mntr(); !strings.Contains(got, "zk_observer_master_id\t2\n") || strings.Contains(got, "synced_") {
		t.Errorf("an observer says\n%s", got)
	}
	w.host.feed = Feed{Leads: true, Learners: []Learner{{ID: 1, Voter: true, Synced: true}, {ID: 2, Synced: true}, {ID: 4, Observer: true, Synced: true}, {ID: 5, Observer: true}}}
	for _, want := range []string{"zk_learners\t4\n", "zk_synced_followers\t2\n", "zk_synced_non_voting_followers\t1\n", "zk_synced_observers\t1\n"} {
		if got := mntr(); !strings.Contains(got, want) {
			t.Errorf("a leader does not say %q:\n%s", want, got)
		}
	}
	w.host.feed = Feed{Feeds: true, Learners: []Learner{{ID: 4, Observer: true, Synced: true, Remote: "127.0.0.1:99", Since: time.UnixMilli(5), Queued: 1, QueuedBytes: 20, Sent: 3, Received: 4, Requests: 2, Zxid: 7}}}
	if got := mntr(); !strings.Contains(got, "zk_synced_observers\t1\n") || strings.Contains(got, "zk_learners") {
		t.Errorf("a follower says\n%s", got)
	}
	status, body := w.get("/commands/observers")
	want := `"observers" : [ {
    "remote_socket_address" : "/127.0.0.1:99",
    "sid" : 4,
    "established" : 5,
    "queued_packets" : 1,
    "queued_packets_size" : 20,
    "packets_received" : 4,
    "packets_sent" : 3,
    "requests" : 2,
    "last_zxid" : 7
  } ]`
	if status != 200 || !strings.Contains(body, want) || !strings.Contains(body, `"synced_observers" : 1`) {
		t.Errorf("%d\n%s", status, body)
	}
}
