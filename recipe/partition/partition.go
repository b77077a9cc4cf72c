// Package partition divides items among the members of a group: each item is one
// member's at a time, and they are divided anew when members come and go.
//
//	p, err := partition.New(c, "/app/shards", []string{"a", "b", "c", "d"}, partition.WithID("node-7"))
//	...
//	err = p.Run(ctx, func(ctx context.Context, item string, h *lock.Held) error {
//		return work(ctx, item) // until ctx ends
//	})
//
// # What is guaranteed
//
// A member works on an item while it has a lock on it: see package lock for what
// ends the work's context, and for its token and guard. When the members change,
// whoever has an item that is now another's is told to end its work; the other
// gets the lock after that. All members must have the same items: one that only
// some have may be nobody's.
//
// # With other programs
//
// Nodes and the division are those of kazoo's SetPartitioner: the members are
// sorted, and the n-th of m gets every m-th item of the sorted ones, from the
// n-th on.
package partition

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/recipe/group"
	"github.com/quollhq/quoll/recipe/lock"
)

// Option changes how a member takes part.
type Option func(*Partitioner)

// WithID is the member's name, which no other has. Default: the host's name and
// the process's number.
func WithID(id string) Option { return func(p *Partitioner) { p.id = id } }

// Partitioner is one member.
type Partitioner struct {
	c     *client.Client
	path  string
	items []string
	id    string
}

// New makes a member on the node path. It does not take part before Run.
func New(c *client.Client, path string, items []string, opts ...Option) (*Partitioner, error) {
	if err := client.ValidatePath(path); err != nil {
		return nil, fmt.Errorf("partition: %w", err)
	}
	host, _ := os.Hostname() // without one, the number must do
	p := &Partitioner{c: c, path: path, items: slices.Sorted(slices.Values(items)), id: fmt.Sprintf("%s-%d", host, os.Getpid())}
	for _, opt := range opts {
		opt(p)
	}
	for _, item := range append([]string{p.id}, p.items...) {
		if err := client.ValidatePath(client.Join(path, item)); err != nil || item == "" || strings.Contains(item, "/") {
			return nil, fmt.Errorf("partition %s: %w: %q is no name", path, client.ErrBadArguments, item)
		}
	}
	if len(slices.Compact(slices.Clone(p.items))) != len(p.items) {
		return nil, fmt.Errorf("partition %s: %w: an item is there twice", path, client.ErrBadArguments)
	}
	return p, nil
}

// Run takes part until ctx ends. It calls work for each item that is this
// member's, in a goroutine of its own, with the lock on it. The context of the
// work ends when the item is to be another's, or may be, or with ctx. Work that
// returns nil before that has its item back at once, to go on; an error ends
// Run. When Run returns, no work is being done.
func (p *Partitioner) Run(ctx context.Context, work func(ctx context.Context, item string, h *lock.Held) error) error {
	g, err := group.New(p.c, client.Join(p.path, "party"), group.WithLayout(group.KazooShallowParty))
	if err != nil {
		return fmt.Errorf("partition: %w", err)
	}
	me, err := g.Join(ctx, p.id, nil)
	if err != nil {
		return fmt.Errorf("partition: %w", err)
	}
	life, end := context.WithCancelCause(ctx)
	r := &run{p: p, work: work, end: end, own: make(map[string]context.CancelFunc)}
	for members, err := range g.Watch(life) {
		if err != nil {
			end(err)
			break
		}
		r.divide(life, members)
	}
	r.working.Wait()
	err = fmt.Errorf("partition %s: %w", p.path, context.Cause(life))
	end(nil)
	leaving, done := context.WithTimeout(context.WithoutCancel(ctx), leaveWithin)
	defer done()
	if left := me.Leave(leaving); left != nil {
		err = errors.Join(err, left)
	}
	return err
}

// leaveWithin bounds how long a server is waited for to hear that a member, or an
// item, is given up; after that it is told in the background.
const leaveWithin = time.Second

// run is a call of Run.
type run struct {
	p       *Partitioner
	work    func(ctx context.Context, item string, h *lock.Held) error
	end     context.CancelCauseFunc
	own     map[string]context.CancelFunc // what ends the work on each own item
	working sync.WaitGroup
}

// divide begins the work on items that are the member's now, and ends that on
// those that are not.
func (r *run) divide(ctx context.Context, members []group.Info) {
	now := r.p.share(members)
	for item, stop := range r.own {
		if !slices.Contains(now, item) {
			stop()
			delete(r.own, item)
		}
	}
	for _, item := range now {
		if r.own[item] == nil {
			mine, stop := context.WithCancel(ctx)
			r.own[item] = stop
			r.working.Go(func() {
				defer stop()
				if err := r.p.keep(mine, item, r.work); mine.Err() == nil {
					r.end(err)
				}
			})
		}
	}
}

// share is this member's part of the items.
func (p *Partitioner) share(members []group.Info) []string {
	var ids []string
	for _, m := range members {
		ids = append(ids, m.ID)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	first := slices.Index(ids, p.id)
	if first < 0 {
		return nil // the others have not seen it either
	}
	var own []string
	for i := first; i < len(p.items); i += len(ids) {
		own = append(own, p.items[i])
	}
	return own
}

// keep works on an item under its lock, again and again until ctx ends.
func (p *Partitioner) keep(ctx context.Context, item string, work func(context.Context, string, *lock.Held) error) error {
	m, err := lock.New(p.c, client.Join(client.Join(p.path, "locks"), item), lock.WithNames(lock.KazooNames), lock.WithData([]byte(p.id)))
	if err != nil {
		return err
	}
	for {
		h, err := m.Lock(ctx)
		if err != nil {
			return err
		}
		err = within(ctx, h, func(ctx context.Context) error { return work(ctx, item, h) })
		if err != nil && !errors.Is(err, lock.ErrLost) || ctx.Err() != nil {
			return err
		}
	}
}

// within calls f with a context that ends with ctx or when the lock may be lost,
// and gives the lock back. It fails with ErrLost if it was lost.
func within(ctx context.Context, h *lock.Held, f func(ctx context.Context) error) error {
	both, end := h.Within(ctx)
	defer end()
	err := f(both)
	giving, done := ctx, context.CancelFunc(func() {})
	if ctx.Err() != nil {
		giving, done = context.WithTimeout(context.WithoutCancel(ctx), leaveWithin)
	}
	defer done()
	if lost := h.Unlock(giving); lost != nil {
		return lost
	}
	return err
}
