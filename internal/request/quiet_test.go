package request

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/tree"
)

func TestQuiet(t *testing.T) {
	var q quiet
	for i, tc := range []struct {
		zxid int64
		want bool
	}{
		{1 << 32, false}, // a server that begins has been busy
		{1<<32 + quietMost, false},
		{1<<32 + 2*quietMost, true},
		{1<<32 + 2*quietMost, true},
		{1<<32 + 4*quietMost, false},
		{1<<32 + 4*quietMost, false},
		{1, false}, // another leader's history is shorter
		{1, false},
		{1, true},
	} {
		if got := q.look(tc.zxid); got != tc.want {
			t.Errorf("look %d: %v, want %v", i, got, tc.want)
		}
	}
}

// A snapshot that is put off is not written of a state that is not in force.
func TestNoQuietSnapshotOutOfForce(t *testing.T) {
	for name, leave := range map[string]func(*seat){
		"resting":   func(s *seat) { s.Rest() },
		"reads":     func(s *seat) { s.Rest(); s.ReadOnly() },
		"installed": func(s *seat) { s.Rest(); s.Install(tree.New(tree.Options{}), nil, 0); s.Follow() },
	} {
		s := newSeat(t, nil)
		s.Follow()
		s.pipe.putOff.Store(putOff)
		leave(s)
		if _, ok := s.freezePutOff(); ok {
			t.Errorf("%s: it is written", name)
		}
	}
	s := newSeat(t, nil)
	s.Follow()
	s.pipe.putOff.Store(putOff)
	f, ok := s.freezePutOff()
	if !ok {
		t.Fatal("a follower writes none")
	}
	f.View.Close()
}

// A snapshot that is due while one is being written comes behind it.
func TestSnapshotBehindAnother(t *testing.T) {
	snaps := &dueCounter{}
	snaps.busy.Store(true)
	w := newWorld(t, func(o *Options) { o.SnapCount, o.Snapshots = 10, snaps })
	c, m := w.client()
	set := func(xid int32) {
		w.submit(c, Request{Xid: xid, Op: proto.OpSetData, Body: setBody("/", "x", -1)})
		m.next(t)
	}
	for xid := range int32(10) {
		set(xid)
	}
	snaps.busy.Store(false)
	for xid := int32(10); xid < 13; xid++ { // it is due again after a quarter of at most ten
		set(xid)
	}
	w.Close()
	if n := snaps.due.Load(); n != 1 {
		t.Errorf("%d snapshots, want one", n)
	}
}

// A snapshot that was put off is written when it is quiet, and the next one is as far away as ever.
func TestSnapshotInAQuietMoment(t *testing.T) {
	for name, tc := range map[string]struct {
		last int64 // bytes of the last snapshot
		want bool
	}{"log as long as the snapshot": {12 << 10, true}, "log shorter than the snapshot": {30 << 10, false}} {
		t.Run(name, func(t *testing.T) {
			snaps := &dueCounter{size: tc.last}
			w := newWorld(t, func(o *Options) { o.SnapCount, o.Snapshots = 10, snaps })
			c, _ := w.client()
			set := func(xid int32) {
				w.submit(c, Request{Xid: xid, Op: proto.OpSetData, Body: setBody("/", strings.Repeat("x", 1000), -1)})
				c.Drain()
			}
			for xid := range int32(20) {
				set(xid)
			}
			if n := snaps.due.Load(); n != 0 {
				t.Fatalf("%d snapshots under load", n)
			}
			ctx, stop := context.WithCancel(t.Context())
			over := make(chan struct{})
			go func() {
				defer close(over)
				w.RunQuiet(ctx, time.Millisecond)
			}()
			for end := time.Now().Add(10 * time.Second); tc.want && snaps.due.Load() == 0 && time.Now().Before(end); {
				time.Sleep(time.Millisecond)
			}
			if !tc.want {
				time.Sleep(20 * time.Millisecond) // it is seen if it comes, and nothing is wrong if it would come later
			}
			set(20)
			set(21)
			stop()
			<-over
			w.Close()
			want := int64(0)
			if tc.want {
				want = 1
			}
			if n := snaps.due.Load(); n != want {
				t.Errorf("%d snapshots in a quiet moment, want %d", n, want)
			}
			if n := w.pipe.commit.logged; tc.want && n > 2 {
				t.Errorf("%d transactions count for the next snapshot", n)
			}
		})
	}
}
