package ensemble

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/test/harness"
)

// TestObserverMaster has a follower of Apache's feed an observer of quoll's, which lives on when the leader is another one.
func TestObserverMaster(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	key := map[string]string{"observerMasterPort": fmt.Sprint(harness.FreePort(t))}
	w := &world{t: t, ctx: t.Context(), size: 4, Ensemble: harness.NewEnsemble(t, harness.EnsembleConfig{Seats: []harness.Seat{
		{Subject: harness.Apache, Keys: key}, {Subject: harness.Quoll}, {Subject: harness.Apache},
		{Subject: harness.Quoll, Observer: true, Keys: key}}})}
	for _, sid := range []int{3, 2} { // the third wins an election of two
		w.Server(sid).Launch()
	}
	w.Server(3).WaitReady()
	w.Server(1).Launch()
	w.Server(1).WaitReady()
	w.create(w.dial(1), "/before")
	w.Server(4).Launch()
	w.Server(4).WaitReady()
	w.fed(1)

	w.everyMemberWrites()
	w.watchesOfOthersWrites()
	w.refusals()
	c := w.dial(1)
	w.create(c, "/mine", client.Ephemeral)
	session := c.Session()
	w.must(c.Detach())
	moved, err := client.Dial(w.ctx, w.Server(4).Addr(), client.WithSession(session.ID(), session.Password()))
	w.must(err)
	t.Cleanup(func() { moved.Close() })
	w.create(moved, "/mine-too", client.Ephemeral)

	w.Server(3).Kill()
	for i := range 20 {
		w.create(moved, fmt.Sprint("/after-", i))
	}
	if got := moved.Session().ID(); got != session.ID() {
		t.Errorf("session 0x%x became 0x%x", session.ID(), got)
	}
	w.Server(3).Launch()
	w.Server(3).WaitReady()
	w.equal()
}

// fed waits until one of these members follows and feeds an observer.
func (w *world) fed(sids ...int) {
	w.t.Helper()
	var reply string
	for {
		for _, sid := range sids {
			reply, _ = harness.FourLetterWord(w.ctx, w.Server(sid).Addr(), "mntr")
			if strings.Contains(reply, "zk_synced_observers\t1\n") && strings.Contains(reply, "zk_server_state\tfollower\n") {
				return
			}
		}
		select {
		case <-w.ctx.Done():
			w.t.Fatalf("none of the members %v feeds anybody:\n%s", sids, reply)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// TestFollowersFeedObservers has quoll's followers feed an observer of Apache's and one of quoll's, whoever leads.
func TestFollowersFeedObservers(t *testing.T) {
	for _, lead := range []harness.Subject{harness.Quoll, harness.Apache} {
		t.Run("led by "+lead.Name(), func(t *testing.T) {
			w := reconfiguring(t, map[string]string{
				"observerMasterPort": fmt.Sprint(harness.FreePort(t)), "skipACL": "yes", "snapshotSizeFactor": "-1",
			},
				harness.Seat{Subject: harness.Quoll, Host: "127.0.0.1"}, harness.Seat{Subject: harness.Quoll, Host: "127.0.0.2"},
				harness.Seat{Subject: lead, Host: "127.0.0.3"},
				harness.Seat{Subject: harness.Apache, Observer: true}, harness.Seat{Subject: harness.Quoll, Observer: true})
			w.feedObservers()
		})
	}
}

// feedObservers has the observers be sent a state, what they lack, and then everything as it happens, also when a follower is
// killed or taken out.
func (w *world) feedObservers() {
	w.t.Helper()
	w.write("before", 1300, "more than members keep for learners") // so that a state is sent
	w.launch(4, 5)
	w.fedBy(4, 1, 2)
	w.fedBy(5, 1, 2)
	const sent = "a state was sent to a learner"
	if n := w.logSays(1, sent) + w.logSays(2, sent); n != 2 {
		w.t.Errorf("the followers have sent %d states to two observers", n)
	}
	if got := w.figure(1, "synced_observers") + w.figure(2, "synced_observers"); got != 2 || w.figure(3, "synced_observers") != 0 {
		w.t.Errorf("the followers feed %d observers, and the leader %d", got, w.figure(3, "synced_observers"))
	}
	w.everyMemberWrites()
	w.watchesOfOthersWrites()
	w.refusals()
	w.sessionMoves(4, 3)
	w.sessionMoves(5, 3)

	observers := []*client.Client{w.dial(4), w.dial(5)}
	var sessions []int64
	for i, c := range observers {
		w.create(c, fmt.Sprint("/of-observer-", i), client.Ephemeral)
		sessions = append(sessions, c.Session().ID())
	}
	dies := w.figure(5, "observer_master_id")
	w.Server(dies).Kill()
	for i, c := range observers {
		for n := range 10 {
			w.create(c, fmt.Sprintf("/without-%d-%d", i, n))
		}
		if got := c.Session().ID(); got != sessions[i] {
			w.t.Errorf("session 0x%x of observer %d became 0x%x", sessions[i], 4+i, got)
		}
	}
	w.fedBy(4, 3-dies)
	w.fedBy(5, 3-dies)
	w.Server(dies).Launch()
	w.Server(dies).WaitReady()

	// Who feeds them is taken out, and they find another.
	text := w.reconfigure(w.dial(3), client.Reconfiguration{Leaving: fmt.Sprint(3 - dies), Version: -1})
	for _, sid := range []int{4, 5} {
		w.has(w.Server(sid).Addr(), text)
		w.fedBy(sid, dies)
	}
	for i, c := range observers {
		w.create(c, fmt.Sprint("/after-", i))
	}
	w.reconfigure(w.dial(3), client.Reconfiguration{Joining: w.Line(3-dies, "participant"), Version: -1})
	w.srvr(w.Server(3-dies).Addr(), "Mode: follower")
	w.equal()
}

// figure is a member's figure, as mntr has it.
func (w *world) figure(sid int, name string) int {
	w.t.Helper()
	reply, err := harness.FourLetterWord(w.ctx, w.Server(sid).Addr(), "mntr")
	w.must(err)
	_, rest, _ := strings.Cut(reply, "zk_"+name+"\t")
	text, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.Atoi(text)
	if err != nil {
		w.t.Fatalf("member %d has no %s:\n%s", sid, name, reply)
	}
	return n
}

// fedBy waits until an observer is fed by one of these members.
func (w *world) fedBy(sid int, masters ...int) {
	w.t.Helper()
	var reply string
	for {
		reply, _ = harness.FourLetterWord(w.ctx, w.Server(sid).Addr(), "mntr")
		for _, m := range masters {
			if strings.Contains(reply, fmt.Sprintf("zk_observer_master_id\t%d\n", m)) {
				return
			}
		}
		select {
		case <-w.ctx.Done():
			w.t.Fatalf("observer %d is never fed by %v:\n%s", sid, masters, reply)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// sessionMoves has a client go from one member to another, and then say something where it was.
func (w *world) sessionMoves(from, to int) {
	w.t.Helper()
	raw := w.dialRaw(from)
	c := w.dialWith([]client.Option{client.WithSession(raw.session.SessionID, raw.session.Passwd)}, to)
	w.create(c, fmt.Sprint("/moved-from-", from), client.Ephemeral)
	body := jute.AppendInt(jute.AppendBuffer(jute.AppendString(nil, "/watched"), nil), -1)
	before, _, err := c.Exists(w.ctx, "/watched")
	w.must(err)
	const xid = 1000 // none of c's: a member knows its requests again by session and number
	raw.send(append((&proto.RequestHeader{Xid: xid, Op: proto.OpSetData}).Append(nil), body...))
	if b, err := io.ReadAll(raw); err != nil {
		w.t.Errorf("member %d says %x, and then %v, on a connection whose session is elsewhere", from, b, err)
	}
	w.must(c.Sync(w.ctx, "/watched"))
	if after, _, err := c.Exists(w.ctx, "/watched"); err != nil || after != before {
		w.t.Errorf("it was changed on a connection whose session is elsewhere: %+v, then %+v, %v", before, after, err)
	}
	w.must(c.Close())
}
