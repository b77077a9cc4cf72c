package ensemble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// patience bounds every wait; it is not what is being tested.
const patience = 60 * time.Second

// mixtures are who sits in the seats. The last seat of equals wins the first election.
var mixtures = []struct {
	name  string
	seats []harness.Subject
}{
	{"quoll", []harness.Subject{harness.Quoll, harness.Quoll, harness.Quoll}},
	{"apache follows", []harness.Subject{harness.Apache, harness.Quoll, harness.Quoll}},
	{"apache leads", []harness.Subject{harness.Quoll, harness.Quoll, harness.Apache}},
	// Both lead: leaders are killed.
	{"apache 3.8", []harness.Subject{harness.Apache38, harness.Quoll, harness.Apache38}},
}

// world is an ensemble and who uses it.
type world struct {
	*harness.Ensemble
	t    *testing.T
	ctx  context.Context
	size int
}

func newWorld(t *testing.T, seats []harness.Subject, keys map[string]string) *world {
	t.Helper()
	var list []harness.Seat
	for _, s := range seats {
		list = append(list, harness.Seat{Subject: s})
	}
	return newSeats(t, list, keys)
}

func newSeats(t *testing.T, seats []harness.Seat, keys map[string]string) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	t.Cleanup(cancel)
	config := harness.EnsembleConfig{Seats: seats, Keys: map[string]string{"4lw.commands.whitelist": "*", "extendedTypesEnabled": "true"}}
	for k, v := range keys {
		config.Keys[k] = v
	}
	w := &world{Ensemble: harness.NewEnsemble(t, config), t: t, ctx: ctx, size: len(seats)}
	w.Start()
	return w
}

// dial connects to the members with these numbers, in this order.
func (w *world) dial(sids ...int) *client.Client {
	w.t.Helper()
	return w.dialWith(nil, sids...)
}

func (w *world) dialWith(opts []client.Option, sids ...int) *client.Client {
	w.t.Helper()
	var servers []string
	for _, sid := range sids {
		servers = append(servers, w.Server(sid).Addr())
	}
	c, err := client.Dial(w.ctx, strings.Join(servers, ","),
		append([]client.Option{client.WithServerOrder(), client.WithSessionTimeout(20 * time.Second)}, opts...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return c
}

// must ends the test at an error.
func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// create goes on until it is known that the znode exists.
func (w *world) create(c *client.Client, path string, opts ...client.CreateOption) {
	w.t.Helper()
	for {
		_, err := c.Create(w.ctx, path, []byte("data of "+path), opts...)
		switch {
		case err == nil, errors.Is(err, client.ErrNodeExists):
			return
		case !errors.Is(err, client.ErrConnectionLoss):
			w.t.Fatal(err)
		}
	}
}

// content is all znodes of the member, with what their stats say of when and how often they were changed.
func (w *world) content(sid int) string {
	w.t.Helper()
	c := w.dial(sid)
	defer c.Close()
	w.must(c.Sync(w.ctx, "/"))
	var b strings.Builder
	var walk func(path string)
	walk = func(path string) {
		data, stat, err := c.Get(w.ctx, path)
		w.must(err)
		fmt.Fprintf(&b, "%s %q %+v\n", path, data, stat)
		names, _, err := c.Children(w.ctx, path)
		w.must(err)
		slices.Sort(names) // Apache's servers have an order of their own
		for _, name := range names {
			if p := client.Join(path, name); p != "/zookeeper" {
				walk(p)
			}
		}
	}
	walk("/")
	return b.String()
}

// equal fails the test unless all members have the same.
func (w *world) equal() {
	w.t.Helper()
	want := w.content(1)
	for sid := 2; sid <= w.size; sid++ {
		if got := w.content(sid); got != want {
			w.t.Errorf("members 1 and %d differ: %s", sid, difference(want, got))
		}
	}
}

// difference is where two texts part.
func difference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range as {
		if i >= len(bs) || as[i] != bs[i] {
			return fmt.Sprintf("line %d of %d and %d:\n%s\n%s", i+1, len(as), len(bs), as[i], bs[min(i, len(bs)-1)])
		}
	}
	return fmt.Sprintf("%d lines and %d", len(as), len(bs))
}

// TestMixtures goes through what clients do with several members.
func TestMixtures(t *testing.T) {
	for _, m := range mixtures {
		t.Run(m.name, func(t *testing.T) {
			w := newWorld(t, m.seats, nil)
			w.everyMemberWrites()
			w.repliesInOrder()
			w.watchesOfOthersWrites()
			w.refusals()
			w.ephemerals()
			w.theLeaderDies()
			w.equal()
		})
	}
}

// everyMemberWrites has every member write, and every other read it.
func (w *world) everyMemberWrites() {
	w.t.Helper()
	for sid := 1; sid <= w.size; sid++ {
		c := w.dial(sid)
		path := fmt.Sprintf("/by-%d", sid)
		w.create(c, path)
		_, err := c.Set(w.ctx, path, []byte("new"), 0)
		w.must(err)
		_, err = c.Multi(w.ctx, client.CreateOp(path+"/a", nil), client.CreateOp(path+"/b", nil), client.DeleteOp(path+"/a", 0))
		w.must(err)
		for other := 1; other <= w.size; other++ {
			o := w.dial(other)
			w.must(o.Sync(w.ctx, path))
			data, stat, err := o.Get(w.ctx, path)
			if err != nil || string(data) != "new" || stat.Version != 1 || stat.NumChildren != 1 {
				w.t.Errorf("member %d wrote %s, member %d has %q %+v, error %v", sid, path, other, data, stat, err)
			}
			o.Close()
		}
	}
}

// repliesInOrder has a client of each member send writes, syncs and reads, some at once, without waiting for what comes of them.
// The answers come in that order, and the reads show what was written before.
func (w *world) repliesInOrder() {
	w.t.Helper()
	w.create(w.dial(1), "/order")
	for sid := 1; sid <= w.size; sid++ {
		for _, at := range []int{1, 50} {
			w.inOrder(w.dialRaw(sid), sid, at, 50/at)
		}
	}
}

// inOrder has a client ask so often for a write, a sync and a read, so many times at once.
func (w *world) inOrder(c *rawConn, sid, atOnce, times int) {
	w.t.Helper()
	path := jute.AppendString(nil, "/order")
	value := func(i int) string { return fmt.Sprintf("by %d: %4d of %d", sid, i, atOnce) }
	xid := int32(0)
	for n := range times {
		var all []byte
		for i := n * atOnce; i < (n+1)*atOnce; i++ {
			for k, r := range []struct {
				op   proto.Op
				body []byte
			}{
				{proto.OpSetData, jute.AppendInt(jute.AppendString(bytes.Clone(path), value(i)), -1)},
				{proto.OpSync, path},
				{proto.OpGetData, jute.AppendBool(bytes.Clone(path), false)},
			} {
				frame := append((&proto.RequestHeader{Xid: int32(3*i + k + 1), Op: r.op}).Append(nil), r.body...)
				all = append(jute.AppendInt(all, int32(len(frame))), frame...)
			}
		}
		_, err := c.Write(all)
		w.must(err)
		for range 3 * atOnce {
			xid++
			d := jute.NewDecoder(c.frame())
			var r proto.ReplyHeader
			if r.Decode(&d); d.Err() != nil || r.Xid != xid || r.Err != proto.OK {
				w.t.Fatalf("member %d, %d at once: answer %d is %+v", sid, atOnce, xid, r)
			}
			if got, want := string(d.Buffer()), value(int(xid/3-1)); xid%3 == 0 && got != want {
				w.t.Errorf("member %d, %d at once: read %q behind the write of %q", sid, atOnce, got, want)
			}
		}
	}
}

// watchesOfOthersWrites has members tell of what other members' clients did.
func (w *world) watchesOfOthersWrites() {
	w.t.Helper()
	writer := w.dial(1)
	w.create(writer, "/watched")
	for sid := 2; sid <= w.size; sid++ {
		c := w.dial(sid)
		w.must(c.Sync(w.ctx, "/watched"))
		_, _, changed, err := c.GetW(w.ctx, "/watched")
		w.must(err)
		_, err = writer.Set(w.ctx, "/watched", nil, client.AnyVersion)
		w.must(err)
		select {
		case e := <-changed:
			if e.Type != client.EventDataChanged {
				w.t.Errorf("member %d told of %+v", sid, e)
			}
		case <-w.ctx.Done():
			w.t.Fatalf("member %d never told of the change", sid)
		}
	}
}

// refusals have the same codes everywhere, and come in order.
func (w *world) refusals() {
	w.t.Helper()
	for sid := 1; sid <= w.size; sid++ {
		c := w.dial(sid)
		if _, err := c.Create(w.ctx, "/watched", nil); !errors.Is(err, client.ErrNodeExists) {
			w.t.Errorf("member %d: %v", sid, err)
		}
		if _, err := c.Set(w.ctx, "/watched", nil, 12345); !errors.Is(err, client.ErrBadVersion) {
			w.t.Errorf("member %d: %v", sid, err)
		}
		_, err := c.Multi(w.ctx, client.CreateOp("/half", nil), client.DeleteOp("/absent", -1))
		if !errors.Is(err, client.ErrNoNode) {
			w.t.Errorf("member %d: %v", sid, err)
		}
		if _, ok, err := c.Exists(w.ctx, "/half"); ok || err != nil {
			w.t.Errorf("member %d has half of a multi, error %v", sid, err)
		}
	}
}

// ephemerals move with their session from member to member, and end with it.
func (w *world) ephemerals() {
	w.t.Helper()
	c := w.dial(1)
	w.create(c, "/mine", client.Ephemeral)
	s := c.Session()
	w.must(c.Detach())
	moved, err := client.Dial(w.ctx, w.Server(2).Addr(), client.WithSession(s.ID(), s.Password()))
	w.must(err)
	defer moved.Close()
	if got := moved.Session().ID(); got != s.ID() {
		w.t.Fatalf("session 0x%x became 0x%x", s.ID(), got)
	}
	w.create(moved, "/mine-too", client.Ephemeral)
	other := w.dial(3)
	w.must(other.Sync(w.ctx, "/mine"))
	_, ok, gone, err := other.ExistsW(w.ctx, "/mine")
	if err != nil || !ok {
		w.t.Fatalf("an ephemeral is gone after its session moved, error %v", err)
	}
	w.must(moved.Close())
	select {
	case <-gone:
	case <-w.ctx.Done():
		w.t.Fatal("an ephemeral outlived its session")
	}
	w.must(other.Sync(w.ctx, "/"))
	if _, ok, err := other.Exists(w.ctx, "/mine-too"); ok || err != nil {
		w.t.Errorf("the second ephemeral is there: %v, error %v", ok, err)
	}
}

// theLeaderDies, more than once; sessions and what was acknowledged live on, and who comes back catches up.
func (w *world) theLeaderDies() {
	w.t.Helper()
	c := w.dial(1, 2, 3)
	w.create(c, "/kept", client.Ephemeral)
	session := c.Session().ID()
	w.create(c, "/dies")
	for round := range 2 {
		leader := w.Leader()
		w.Server(leader).Kill()
		for i := range 50 {
			w.create(c, fmt.Sprintf("/dies/%d-%d", round, i))
		}
		w.Server(leader).Launch()
		w.Server(leader).WaitReady()
	}
	if got := c.Session().ID(); got != session {
		w.t.Errorf("session 0x%x became 0x%x", session, got)
	}
	names, _, err := c.Children(w.ctx, "/dies")
	if err != nil || len(names) != 100 {
		w.t.Errorf("%d znodes of 100, error %v", len(names), err)
	}
	if _, ok, err := c.Exists(w.ctx, "/kept"); !ok || err != nil {
		w.t.Errorf("the ephemeral is there: %v, error %v", ok, err)
	}
}
