package ensemble

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
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

// user is a client that writes all the time, has an ephemeral, and watches what another one writes.
type user struct {
	c       *client.Client
	name    string
	session int64
	acks    int // writes that were acknowledged
	tried   int
	losses  int
	longest time.Duration // without an acknowledgement
}

func (w *world) newUser(i int) *user {
	u := &user{c: w.dial(1+i%3, 1+(i+1)%3, 1+(i+2)%3), name: fmt.Sprintf("/user-%d", i)}
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
		_, err := u.c.Set(w.ctx, u.name, fmt.Append(nil, u.tried), client.AnyVersion)
		switch {
		case err == nil:
			u.acks++
			u.longest = max(u.longest, time.Since(last))
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
	seen := 0
	for {
		data, _, changed, err := u.c.GetW(w.ctx, path)
		if err != nil {
			w.t.Errorf("%s watches %s: %v", u.name, path, err)
			return
		}
		var n int
		fmt.Sscan(string(data), &n)
		if n < seen {
			w.t.Errorf("%s saw %d after %d in %s", u.name, n, seen, path)
		}
		if seen = n; int64(n) == want.Load() {
			return
		}
		select {
		case <-changed:
		case <-w.ctx.Done():
			w.t.Errorf("%s missed a change of %s: it has seen %d, want %d", u.name, path, seen, want.Load())
			return
		}
	}
}

// TestRollingReplacement replaces Apache's servers by quoll's, one by one, and those by Apache's again, while clients
// work: no session ends, no acknowledged write is lost, no watch is missed.
func TestRollingReplacement(t *testing.T) {
	const users = 12
	w := newWorld(t, []harness.Subject{harness.Apache, harness.Apache, harness.Apache}, nil)
	var all []*user
	for i := range users {
		all = append(all, w.newUser(i))
	}
	var stop atomic.Bool
	var writers, watchers sync.WaitGroup
	final := make([]atomic.Int64, users)
	for i, u := range all {
		final[i].Store(-1)
		writers.Go(func() { u.write(w, &stop) })
		next := (i + 1) % users
		watchers.Go(func() { u.watch(w, all[next].name, &final[next]) })
	}
	w.replaceAll(harness.Quoll)
	w.replaceAll(harness.Apache)
	stop.Store(true)
	writers.Wait()
	for i, u := range all {
		// One more write, that is seen for certain, so that every watcher can tell that it missed none.
		u.tried++
		for {
			_, err := u.c.Set(w.ctx, u.name, fmt.Append(nil, u.tried), client.AnyVersion)
			if err == nil {
				break
			}
			if !errors.Is(err, client.ErrConnectionLoss) {
				t.Fatal(err)
			}
		}
		final[i].Store(int64(u.tried))
		_, err := u.c.Set(w.ctx, u.name, fmt.Append(nil, u.tried), client.AnyVersion) // wakes who has read before the Store
		w.must(err)
	}
	watchers.Wait()
	total, losses, longest := 0, 0, time.Duration(0)
	for _, u := range all {
		if got := u.c.Session().ID(); got != u.session {
			t.Errorf("%s: session 0x%x became 0x%x", u.name, u.session, got)
		}
		if _, ok, err := u.c.Exists(w.ctx, u.name+"-here"); !ok || err != nil {
			t.Errorf("%s: its ephemeral is there: %v, error %v", u.name, ok, err)
		}
		_, stat, err := u.c.Get(w.ctx, u.name)
		if err != nil || int(stat.Version) < u.acks {
			t.Errorf("%s: %d writes were acknowledged, %d are there, error %v", u.name, u.acks, stat.Version, err)
		}
		total, losses, longest = total+u.tried, losses+u.losses, max(longest, u.longest)
	}
	w.equal()
	t.Logf("%d clients, %d writes, %d whose outcome was not known, longest time without one %v",
		users, total, losses, longest.Round(time.Millisecond))
}
