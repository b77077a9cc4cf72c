package ensemble

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/recipe/lock"
	"github.com/quollhq/quoll/test/harness"
)

var sessions = flag.Int("sessions", 200, "sessions of the rolling replacement")

const (
	// busyUsers write without a pause, the others now and then.
	busyUsers = 12
	idlePause = 500 * time.Millisecond
	// locks is how many locks there are, for lockers users each.
	locks   = 10
	lockers = 4
)

// replaceAll has every seat's server replaced by a subject's, the leader's last: what an operator does.
func (w *world) replaceAll(subject harness.Subject) {
	w.t.Helper()
	order := []int{1, 2, 3}
	leader := w.Leader()
	order = append(slices.DeleteFunc(order, func(sid int) bool { return sid == leader }), leader)
	for _, sid := range order {
		began := time.Now()
		w.Server(sid).Stop()
		w.Server(sid).Become(subject)
		w.Server(sid).Launch()
		w.Server(sid).WaitReady()
		w.t.Logf("member %d is %s's after %v", sid, subject.Name(), time.Since(began).Round(10*time.Millisecond))
	}
}

// user is a client that writes all the time, has an ephemeral, watches what another one writes, and may want a lock.
type user struct {
	c       *client.Client
	name    string
	session int64
	pause   time.Duration // between two writes
	acks    int           // writes that were acknowledged
	tried   int
	losses  int
	longest time.Duration // without an acknowledgement
	seen    int           // changes of the other one's znode
	held    int           // how often it had its lock
}

func (w *world) newUser(i int) *user {
	u := &user{c: w.dial(1+i%3, 1+(i+1)%3, 1+(i+2)%3), name: fmt.Sprintf("/user-%d", i)}
	if i >= busyUsers {
		u.pause = idlePause
	}
	u.session = u.c.Session().ID()
	w.create(u.c, u.name)
	w.create(u.c, u.name+"-here", client.Ephemeral)
	return u
}

// write sets the znode to the next number until stop.
func (u *user) write(w *world, stop *atomic.Bool) {
	last := time.Now()
	for !stop.Load() {
		u.tried++
		began := time.Now()
		_, err := u.c.Set(w.ctx, u.name, fmt.Append(nil, u.tried), client.AnyVersion)
		switch {
		case err == nil:
			u.acks++
			if u.pause > 0 {
				last = began
			}
			u.longest = max(u.longest, time.Since(last))
			time.Sleep(u.pause)
			last = time.Now()
		case errors.Is(err, client.ErrConnectionLoss):
			u.losses++
		default:
			w.t.Errorf("%s: %v", u.name, err)
			return
		}
	}
}

// watch counts the changes of a znode until it has the value want; the numbers must never go back.
func (u *user) watch(w *world, path string, want *atomic.Int64) {
	last := 0
	for {
		data, _, changed, err := u.c.GetW(w.ctx, path)
		if err != nil {
			w.t.Errorf("%s watches %s: %v", u.name, path, err)
			return
		}
		var n int
		fmt.Sscan(string(data), &n)
		if n < last {
			w.t.Errorf("%s saw %d after %d in %s", u.name, n, last, path)
		}
		if last = n; int64(n) == want.Load() {
			return
		}
		select {
		case <-changed:
			u.seen++
		case <-w.ctx.Done():
			w.t.Errorf("%s missed a change of %s: it has seen %d, want %d", u.name, path, last, want.Load())
			return
		}
	}
}

// lock takes and gives back a lock until stop. Nobody else may have it meanwhile, nor may it be lost.
func (u *user) lock(w *world, path string, holders *atomic.Int32, stop *atomic.Bool) {
	m, err := lock.New(u.c, path)
	if err != nil {
		w.t.Error(err)
		return
	}
	for !stop.Load() {
		h, err := m.Lock(w.ctx)
		if err != nil {
			w.t.Errorf("%s waits for %s: %v", u.name, path, err)
			return
		}
		if n := holders.Add(1); n != 1 {
			w.t.Errorf("%s is held by %d", path, n)
		}
		u.held++
		time.Sleep(idlePause / 10)
		holders.Add(-1)
		if err := h.Unlock(w.ctx); err != nil {
			w.t.Errorf("%s gives %s back: %v", u.name, path, err)
			return
		}
	}
}

// TestRollingReplacement replaces Apache's servers by quoll's, one by one, and those by Apache's again, while clients
// work: no session ends, no acknowledged write is lost, no watch is missed, no lock is lost or held twice, and the members
// have the same in the end.
func TestRollingReplacement(t *testing.T) {
	if _, err := harness.Binary(); !testing.Short() && err != nil { // it is not built while it is waited for
		t.Fatal(err)
	}
	w := newWorld(t, []harness.Subject{harness.Apache, harness.Apache, harness.Apache}, map[string]string{"maxClientCnxns": "0"})
	began := time.Now()
	var all []*user
	for i := range *sessions {
		all = append(all, w.newUser(i))
	}
	w.create(all[0].c, "/locks")
	var stop atomic.Bool
	var workers, watchers sync.WaitGroup
	final := make([]atomic.Int64, len(all))
	var holders [locks]atomic.Int32
	for i, u := range all {
		final[i].Store(-1)
		workers.Go(func() { u.write(w, &stop) })
		next := (i + 1) % len(all)
		watchers.Go(func() { u.watch(w, all[next].name, &final[next]) })
		if i < locks*lockers {
			workers.Go(func() { u.lock(w, fmt.Sprintf("/locks/%d", i%locks), &holders[i%locks], &stop) })
		}
	}
	w.replaceAll(harness.Quoll)
	w.replaceAll(harness.Apache)
	stop.Store(true)
	workers.Wait()
	for i, u := range all {
		u.finish(w, &final[i])
	}
	watchers.Wait()
	for _, u := range all {
		u.check(w)
	}
	w.equal()
	w.Stop()
	zxid, digest := w.digests()
	w.t.Logf("Apache's servers replaced by quoll's and back, one by one, in %v:\n%s", time.Since(began).Round(time.Second),
		figures(all, zxid, digest))
}

// finish writes once more, for certain, so that the watcher can tell that it has missed nothing.
func (u *user) finish(w *world, final *atomic.Int64) {
	u.tried++
	for {
		_, err := u.c.Set(w.ctx, u.name, fmt.Append(nil, u.tried), client.AnyVersion)
		if err == nil {
			break
		}
		if !errors.Is(err, client.ErrConnectionLoss) {
			w.t.Fatal(err)
		}
	}
	final.Store(int64(u.tried))
	_, err := u.c.Set(w.ctx, u.name, fmt.Append(nil, u.tried), client.AnyVersion) // wakes who has read before the Store
	w.must(err)
}

// check compares what is there with what the user was told.
func (u *user) check(w *world) {
	if got := u.c.Session().ID(); got != u.session {
		w.t.Errorf("%s: session 0x%x became 0x%x", u.name, u.session, got)
	}
	if _, ok, err := u.c.Exists(w.ctx, u.name+"-here"); !ok || err != nil {
		w.t.Errorf("%s: its ephemeral is there: %v, error %v", u.name, ok, err)
	}
	_, stat, err := u.c.Get(w.ctx, u.name)
	if err != nil || int(stat.Version) < u.acks {
		w.t.Errorf("%s: %d writes were acknowledged, %d are there, error %v", u.name, u.acks, stat.Version, err)
	}
}

// figures is the table of what happened.
func figures(all []*user, zxid int64, digest uint64) string {
	acks, losses, seen, held, longest := 0, 0, 0, 0, time.Duration(0)
	for _, u := range all {
		acks, losses, seen, held = acks+u.acks, losses+u.losses, seen+u.seen, held+u.held
		longest = max(longest, u.longest)
	}
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(what string, value any) { fmt.Fprintf(t, "%s\t%v\n", what, value) }
	row("sessions, each with an ephemeral and a watch", fmt.Sprintf("%d, none lost", len(all)))
	row("writes acknowledged", fmt.Sprintf("%d, none lost", acks))
	row("writes of unknown outcome (the connection was lost)", losses)
	row("watches that fired", fmt.Sprintf("%d, none missed", seen))
	row("locks held and given back", fmt.Sprintf("%d, none by two or lost", held))
	row("longest time that a client waited for an acknowledgement", longest.Round(time.Millisecond))
	row("digest of all three trees", fmt.Sprintf("%x as of transaction 0x%x", digest, uint64(zxid)))
	t.Flush()
	return b.String()
}
