package client

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

func TestHooks(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		var requests []Request
		var outcomes []Outcome
		var events []Event
		c := f.client(WithHooks(Hooks{
			Request: func(_ context.Context, r Request) func(Outcome) {
				requests = append(requests, r)
				return func(o Outcome) { outcomes = append(outcomes, o) }
			},
			Event: func(ev Event) { events = append(events, ev) },
		}), WithHooks(Hooks{}))
		fc, _ := f.accept()
		got := async(func() error { _, _, err := c.Get(t.Context(), "/a"); return err })
		fc.request(proto.OpGetData)
		fc.Close()
		fc, _ = f.accept()
		fc.answer(proto.OpGetData, 42, proto.OK, getReply("12345"))
		if err := <-got; err != nil {
			t.Fatal(err)
		}
		told := make(chan Event, 1)
		watched := async(func() error {
			_, found, err := c.ExistsNotify(t.Context(), "/b", func(ev Event) { told <- ev })
			return errors.Join(err, map[bool]error{true: errors.New("found")}[found])
		})
		fc.answer(proto.OpExists, 43, proto.NoNode, nil)
		if err := <-watched; err != nil {
			t.Fatal(err)
		}
		fc.event(proto.EventNodeCreated, "/b", 44)
		if ev := <-told; ev.Type != EventCreated || ev.Path != "/b" || ev.Zxid != 44 {
			t.Errorf("event %+v", ev)
		}
		unique := async(func() error { _, err := c.CreateUnique(t.Context(), "/u", nil); return err })
		fc.answer(proto.OpCreate2, 45, proto.NoAuth, nil)
		wantIs(t, <-unique, ErrNoAuth)
		shut(t, c, fc)

		if want := []Request{{"getData", "/a", 7}, {"exists", "/b", 7}, {"create2", "/u", 41}}; !slices.Equal(requests, want) {
			t.Errorf("requests %+v, want %+v", requests, want)
		}
		if len(outcomes) != 3 {
			t.Fatalf("outcomes %+v", outcomes)
		}
		if want := (Outcome{nil, "a:1", 42, 77, 2}); outcomes[0] != want {
			t.Errorf("outcome %+v, want %+v", outcomes[0], want)
		}
		if !errors.Is(outcomes[1].Err, ErrNoNode) || !errors.Is(outcomes[2].Err, ErrNoAuth) || outcomes[2].Tries != 1 {
			t.Errorf("outcomes %+v", outcomes)
		}
		var states []State
		for _, ev := range events {
			if ev.Type == EventSession {
				states = append(states, ev.State)
			}
		}
		if want := []State{StateConnected, StateConnecting, StateConnected, StateClosed}; !slices.Equal(states, want) {
			t.Errorf("states %v, want %v", states, want)
		}
		if events[1].Server != "a:1" || events[1].Err == nil {
			t.Errorf("event of the lost connection: %+v", events[1])
		}
	})
}

func TestReplyZxid(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		var zxid int64
		ctx := WithinSession(WithReplyZxid(t.Context(), &zxid), c.Session())
		got := async(func() error { _, _, err := c.Get(ctx, "/a"); return err })
		fc.answer(proto.OpGetData, 4711, proto.OK, getReply(""))
		if err := <-got; err != nil || zxid != 4711 || boundTo(ctx) != c.Session() {
			t.Errorf("error %v, zxid %d", err, zxid)
		}
		shut(t, c, fc)
	})
}

func TestThrottledIsAskedAgain(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client(WithRetry(Backoff(3, time.Second, 10*time.Second)))
		fc, _ := f.accept()
		throttled := func() (proto.RequestHeader, jute.Decoder) {
			h, d := fc.request(proto.OpSetData)
			fc.reply(h.Xid, 0, proto.ThrottledOp, nil)
			return h, d
		}
		set := func() error { _, err := c.Set(t.Context(), "/a", []byte("x"), 3); return err }
		began := time.Now()
		got := async(set)
		throttled()
		throttled()
		fc.answer(proto.OpSetData, 1, proto.OK, existsReply())
		if err := <-got; err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d < 1500*time.Millisecond || d > 3*time.Second {
			t.Errorf("took %v, want 0.5 to 1 s and 1 to 2 s", d)
		}
		got = async(set)
		throttled()
		throttled()
		throttled()
		wantIs(t, <-got, ErrThrottledOp)

		ctx, cancel := context.WithCancel(t.Context())
		got = async(func() error { _, err := c.Set(ctx, "/a", nil, 3); return err })
		throttled()
		synctest.Wait()
		cancel()
		wantIs(t, <-got, ErrThrottledOp)
		shut(t, c, fc)
	})
}

func TestNeverRetry(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client(WithRetry(NeverRetry))
		fc, _ := f.accept()
		got := async(func() error { return c.Sync(t.Context(), "/a") })
		fc.request(proto.OpSync)
		fc.Close()
		wantIs(t, <-got, ErrConnectionLoss)
		waits := async(func() error { return c.Sync(t.Context(), "/a") }) // for the next connection
		fc, _ = f.accept()
		fc.answer(proto.OpSync, 1, proto.OK, jute.AppendString(nil, "/a"))
		if err := <-waits; err != nil {
			t.Error(err)
		}
		shut(t, c, fc)
	})
}

func TestRetryPolicies(t *testing.T) {
	policy := RetryFor(10*time.Second, Backoff(100, time.Second, time.Minute))
	for _, tc := range []struct {
		f        Failure
		from, to time.Duration
		again    bool
	}{
		{Failure{Tries: 1}, time.Second / 2, time.Second, true},
		{Failure{Tries: 3}, 2 * time.Second, 4 * time.Second, true},
		{Failure{Tries: 3, Since: 9 * time.Second}, 2 * time.Second, 4 * time.Second, false},
		{Failure{Tries: 99}, 30 * time.Second, time.Minute, false},
		{Failure{Tries: 100}, 0, 0, false},
	} {
		pause, again := policy(tc.f)
		if pause < tc.from || pause > tc.to || again != tc.again {
			t.Errorf("%+v: %v, %v", tc.f, pause, again)
		}
	}
}

func TestReconnectPause(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		f.refusing.Store(true)
		var failed []int
		began := time.Now()
		c := f.client(WithReconnectPause(func(n int) time.Duration {
			failed = append(failed, n)
			if n == 3 {
				f.refusing.Store(false)
			}
			return 7 * time.Second
		}))
		fc, _ := f.accept()
		if d := time.Since(began); d != 21*time.Second || !slices.Equal(failed, []int{1, 2, 3}) {
			t.Errorf("after %v, attempts %v", d, failed)
		}
		shut(t, c, fc)
	})
}
