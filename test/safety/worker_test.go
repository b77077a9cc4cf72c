package safety_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/recipe/counter"
	"github.com/quollhq/quoll/recipe/election"
	"github.com/quollhq/quoll/recipe/group"
	"github.com/quollhq/quoll/recipe/lock"
	"github.com/quollhq/quoll/recipe/queue"
)

// The environment of a worker.
const (
	serverVariable = "SAFETY_SERVER"
	idVariable     = "SAFETY_ID"
)

// sessionTimeout is the shortest that the servers grant, so that those who are paused are soon missed.
const sessionTimeout = time.Second

// work is what a worker process does until it is killed. It prints a line for every change whose outcome counts.
func work(server, id string) error {
	ctx := context.Background()
	c, err := client.Dial(ctx, server, client.WithSessionTimeout(sessionTimeout))
	if err != nil {
		return err
	}
	w := &worker{c: c}
	g, err := group.New(c, "/members")
	if err == nil {
		_, err = g.Join(ctx, id, nil)
	}
	if err == nil {
		w.mutex, err = lock.New(c, "/lock")
	}
	if err == nil {
		w.election, err = election.New(c, "/election", election.WithID(id))
	}
	if err == nil {
		w.count, err = counter.New(c, "/count")
	}
	if err == nil {
		w.jobs, err = queue.New(c, "/jobs")
	}
	if err != nil {
		return err
	}
	for {
		w.underLock(ctx)
		w.leading(ctx)
		w.add(ctx)
		w.job(ctx)
	}
}

type worker struct {
	c        *client.Client
	mutex    *lock.Mutex
	election *election.Election
	count    *counter.Counter
	jobs     *queue.Queue
}

// tell prints what became of a change: ok, maybe, or nothing if it did not take place.
func tell(what string, err error) {
	switch {
	case err == nil:
		fmt.Println(what, "ok")
	case client.MaybeApplied(err):
		fmt.Println(what, "maybe")
	default:
		fmt.Fprintln(os.Stderr, what, err)
	}
}

func (w *worker) underLock(ctx context.Context) {
	h, err := w.mutex.Lock(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lock", err)
		return
	}
	w.write(ctx, "lock", h)
	_ = h.Unlock(ctx) // that it was lost is what is tested here
}

func (w *worker) leading(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond) // or all would wait for a leader that is paused
	defer cancel()
	term, err := w.election.Campaign(ctx)
	if err != nil {
		return
	}
	w.write(context.WithoutCancel(ctx), "term", term.Held)
	_ = term.Resign(context.WithoutCancel(ctx)) // as above
}

// write writes the holder's token into a ledger a few times.
func (w *worker) write(ctx context.Context, ledger string, h *lock.Held) {
	for range 3 {
		entry := client.CreateOp("/ledger-"+ledger+"/e-", fmt.Append(nil, h.Token()), client.PersistentSequential)
		_, err := h.Multi(ctx, entry)
		tell(ledger, err)
	}
}

func (w *worker) add(ctx context.Context) {
	_, err := w.count.Add(ctx, 1)
	tell("count", err)
}

// job does a job: it is done when there is a node that says so.
func (w *worker) job(ctx context.Context) {
	d, err := w.jobs.TryReceive(ctx)
	if err != nil {
		if !errors.Is(err, queue.ErrEmpty) {
			fmt.Fprintln(os.Stderr, "job", err)
		}
		return
	}
	_, err = w.c.Create(ctx, "/done/"+string(d.Bodies[0]), nil)
	if err == nil || errors.Is(err, client.ErrNodeExists) {
		err = d.Ack(ctx)
	} else {
		err = errors.Join(err, d.Reject(ctx))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "job", err)
	}
}
