package election_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/servertest"
	"github.com/quollhq/quoll/recipe/election"
	"github.com/quollhq/quoll/recipe/lock"
)

func participant(t *testing.T, c *client.Client, id string, opts ...election.Option) *election.Election {
	t.Helper()
	e, err := election.New(c, "/lead", append(opts, election.WithID(id))...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantIs(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("error %v, want %v", err, target)
	}
}

// wantIDs returns when exactly these take part, in this order.
func wantIDs(t *testing.T, e *election.Election, want ...string) {
	t.Helper()
	ctx := servertest.Context(t)
	for {
		list, err := e.Participants(ctx)
		must(t, err)
		var ids []string
		for _, l := range list {
			ids = append(ids, l.ID)
		}
		if slices.Equal(ids, want) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func TestCampaign(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	a, b := participant(t, servertest.Dial(t, server), "a"), participant(t, servertest.Dial(t, server), "b")
	if l, err := a.Leader(ctx); err != nil || l.Path != "" {
		t.Fatalf("%+v, %v", l, err)
	}
	first, err := a.Campaign(ctx)
	must(t, err)
	next := make(chan *election.Term, 1)
	go func() {
		term, err := b.Campaign(ctx)
		if err != nil {
			t.Error(err)
		}
		next <- term
	}()
	wantIDs(t, a, "a", "b")
	must(t, first.Proclaim(ctx, "a, again"))
	if l, err := b.Leader(ctx); err != nil || l.ID != "a, again" || l.Token != first.Token() {
		t.Errorf("leader %+v, %v", l, err)
	}
	l, err := first.HandOver(ctx)
	second := <-next
	if err != nil || l.ID != "b" || l.Token != second.Token() || second.Token() <= first.Token() {
		t.Errorf("handed over to %+v, %v", l, err)
	}
	wantIs(t, context.Cause(first.Context()), lock.ErrReleased)
	wantIs(t, first.Proclaim(ctx, "late"), election.ErrLost)
	_, err = second.HandOver(ctx)
	wantIs(t, err, election.ErrAlone)
	must(t, second.Context().Err())
	must(t, second.Resign(ctx))
}

func TestObserve(t *testing.T) {
	server := servertest.Start(t)
	ctx, cancel := context.WithCancel(servertest.Context(t))
	c := servertest.Dial(t, server)
	e := participant(t, c, "a")
	seen := make(chan election.Leader)
	ended := make(chan error, 1)
	go func() {
		for l, err := range participant(t, servertest.Dial(t, server), "observer").Observe(ctx) {
			if err != nil {
				ended <- err
				return
			}
			seen <- l
		}
	}()
	want := func(id string) {
		t.Helper()
		if l := <-seen; l.ID != id || (l.Path == "") != (id == "") {
			t.Fatalf("leader %+v, want %q", l, id)
		}
	}
	want("")
	for range 2 { // the second time, the path is there
		term, err := e.Campaign(ctx)
		must(t, err)
		want("a")
		must(t, term.Proclaim(ctx, "A"))
		want("A")
		must(t, term.Resign(ctx))
		want("")
	}
	cancel()
	wantIs(t, <-ended, context.Canceled)
}

// Each leads in turn, one at a time, with growing tokens.
func TestRun(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	var leading, terms, last atomic.Int64
	var wg sync.WaitGroup
	for i := range 4 {
		e := participant(t, servertest.Dial(t, server), fmt.Sprint(i))
		wg.Go(func() {
			err := e.Run(ctx, func(_ context.Context, term *election.Term) error {
				if leading.Add(1) != 1 {
					t.Error("two lead")
				}
				defer leading.Add(-1)
				if token := term.Token(); token <= last.Swap(token) {
					t.Errorf("token %d does not grow", token)
				}
				if terms.Add(1) >= 20 {
					return election.ErrStop
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	wantIDs(t, participant(t, servertest.Dial(t, server), ""))
}

func TestRunFails(t *testing.T) {
	server := servertest.Start(t)
	ctx, cancel := context.WithCancel(servertest.Context(t))
	e := participant(t, servertest.Dial(t, server), "a")
	why := errors.New("why")
	wantIs(t, e.Run(ctx, func(context.Context, *election.Term) error { return why }), why)
	wantIs(t, e.Run(ctx, func(within context.Context, _ *election.Term) error {
		cancel()
		<-within.Done()
		return nil
	}), context.Canceled)
	wantIDs(t, e)
	_, err := election.New(nil, "no/path")
	wantIs(t, err, client.ErrBadArguments)
}

func TestLatch(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	other := servertest.Dial(t, server)
	a := participant(t, servertest.Dial(t, server), "a").Join(ctx)
	term, err := a.Await(ctx)
	must(t, err)
	b := participant(t, other, "b").Join(ctx)
	wantIDs(t, participant(t, other, ""), "a", "b")
	if !a.Leads() || b.Leads() || a.Term() != term {
		t.Error("who leads?")
	}
	must(t, other.Delete(ctx, term.Path(), -1)) // by hand: b leads, a queues up again
	_, err = b.Await(ctx)
	must(t, err)
	<-term.Context().Done()
	wantIs(t, context.Cause(term.Context()), election.ErrLost)
	wantIDs(t, participant(t, other, ""), "b", "a")
	must(t, b.Close(ctx))
	_, err = a.Await(ctx)
	must(t, err)
	must(t, a.Close(ctx))
	<-a.Done()
	wantIDs(t, participant(t, other, ""))
	_, err = a.Await(ctx)
	wantIs(t, err, context.Canceled)
}

// Whose node is deleted by hand while it waits queues up again.
func TestLatchDeletedWaiting(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	first, err := participant(t, servertest.Dial(t, server), "first").Campaign(ctx)
	must(t, err)
	c := servertest.Dial(t, server)
	l := participant(t, c, "waits").Join(ctx)
	e := participant(t, servertest.Dial(t, server), "")
	wantIDs(t, e, "first", "waits")
	list, err := e.Participants(ctx)
	must(t, err)
	must(t, servertest.Dial(t, server).Delete(ctx, list[1].Path, -1))
	must(t, first.Resign(ctx))
	_, err = l.Await(ctx)
	must(t, err)
	must(t, l.Close(ctx))
}

// A latch gets over what its client does not ask again by itself.
func TestLatchWithoutRetries(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	first, err := participant(t, servertest.Dial(t, server), "first").Campaign(ctx)
	must(t, err)
	var b servertest.Breaker
	l := participant(t, servertest.Dial(t, server, client.WithDialer(b.Dial), client.WithRetry(client.NeverRetry)), "waits").Join(ctx)
	wantIDs(t, participant(t, servertest.Dial(t, server), ""), "first", "waits")
	b.LoseRequest() // what it asks for when the first has left
	must(t, first.Resign(ctx))
	_, err = l.Await(ctx)
	must(t, err)
	must(t, l.Close(ctx))
}

// A program that recovers from a panic leads no more, and others do.
func TestRunPanics(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	e := participant(t, servertest.Dial(t, server), "a")
	func() {
		defer func() {
			if recover() != "why" {
				t.Error("no panic")
			}
		}()
		_ = e.Run(ctx, func(context.Context, *election.Term) error { panic("why") })
	}()
	wantIDs(t, e)
}

func TestLatchOfClosedClient(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c, err := client.Dial(ctx, server)
	must(t, err)
	l := participant(t, c, "a").Join(ctx)
	_, err = l.Await(ctx)
	must(t, err)
	must(t, c.Close())
	<-l.Done()
	wantIs(t, l.Err(), client.ErrClosed)
	wantIs(t, l.Close(ctx), client.ErrClosed)
}

func ExampleElection_Run() {
	servertest.Example(func(ctx context.Context, c *client.Client) error {
		e, err := election.New(c, "/app/leader", election.WithID("node-7"))
		if err != nil {
			return err
		}
		return e.Run(ctx, func(ctx context.Context, term *election.Term) error {
			l, err := e.Leader(ctx)
			if err != nil {
				return err
			}
			fmt.Println(l.ID, "leads:", l.Token == term.Token())
			return election.ErrStop
		})
	})
	// Output: node-7 leads: true
}

func ExampleElection_Join() {
	servertest.Example(func(ctx context.Context, c *client.Client) error {
		e, err := election.New(c, "/app/leader", election.WithID("node-7"))
		if err != nil {
			return err
		}
		latch := e.Join(ctx)
		if _, err := latch.Await(ctx); err != nil {
			return err
		}
		fmt.Println(latch.Leads())
		return latch.Close(ctx)
	})
	// Output: true
}

func ExampleElection_Observe() {
	servertest.Example(func(ctx context.Context, c *client.Client) error {
		e, err := election.New(c, "/app/leader", election.WithID("node-7"))
		if err != nil {
			return err
		}
		if _, err := e.Campaign(ctx); err != nil {
			return err
		}
		for leader, err := range e.Observe(ctx) {
			fmt.Println(leader.ID, err)
			break
		}
		return nil
	})
	// Output: node-7 <nil>
}
