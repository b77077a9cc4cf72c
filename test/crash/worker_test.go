package crash

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/quollhq/quoll/client"
)

// state is everything below a worker's node.
type state struct {
	pair  int               // what both nodes of the pair hold
	nodes map[string]string // name to data
}

func (s state) clone() state { return state{s.pair, maps.Clone(s.nodes)} }

func (s state) equal(o state) bool { return s.pair == o.pair && maps.Equal(s.nodes, o.nodes) }

func (s state) String() string {
	return fmt.Sprintf("pair %d, nodes %v", s.pair, slices.Sorted(maps.Keys(s.nodes)))
}

// worker changes its own part of the tree, one request at a time, and knows
// what must be there.
type worker struct {
	path  string
	rng   *rand.Rand
	acked func()

	count   int
	known   state  // what was acknowledged
	perhaps *state // what is there if the last request, which got no answer, was done
}

func newWorker(id int, seed uint64, acked func()) *worker {
	return &worker{
		path: fmt.Sprintf("/crash/w%d", id), rng: rand.New(rand.NewPCG(seed, uint64(id))),
		acked: acked, known: state{nodes: map[string]string{}},
	}
}

func (w *worker) setup(ctx context.Context, c *client.Client) error {
	for _, path := range []string{"/crash", w.path, w.path + "/a", w.path + "/b"} {
		if _, err := c.Create(ctx, path, []byte("0")); err != nil && !errors.Is(err, client.ErrNodeExists) {
			return err
		}
	}
	return nil
}

// run works until the server is gone.
func (w *worker) run(ctx context.Context, c *client.Client) error {
	for {
		next, do := w.next()
		err := do(ctx, c)
		switch {
		case err == nil:
			w.known = next
			w.acked()
		case client.MaybeApplied(err):
			w.perhaps = &next
			return nil
		case errors.Is(err, client.ErrConnectionLoss):
			return nil
		default:
			return fmt.Errorf("%s: %w", w.path, err)
		}
	}
}

type ask func(context.Context, *client.Client) error

// next is something to ask for and the state after it.
func (w *worker) next() (state, ask) {
	w.count++
	s := w.known.clone()
	switch n := w.rng.IntN(10); {
	case n < 4:
		s.pair = w.count
		data := []byte(strconv.Itoa(w.count))
		return s, func(ctx context.Context, c *client.Client) error {
			_, err := c.Multi(ctx, client.SetOp(w.path+"/a", data, client.AnyVersion), client.SetOp(w.path+"/b", data, client.AnyVersion))
			return err
		}
	case n < 5: // refused, but written to the log
		return s, func(ctx context.Context, c *client.Client) error {
			_, err := c.Create(ctx, w.path, nil)
			if errors.Is(err, client.ErrNodeExists) {
				return nil
			}
			return err
		}
	case len(s.nodes) > 20:
		name := slices.Min(slices.Collect(maps.Keys(s.nodes)))
		delete(s.nodes, name)
		return s, func(ctx context.Context, c *client.Client) error {
			return c.Delete(ctx, w.path+"/"+name, client.AnyVersion)
		}
	}
	name := fmt.Sprintf("n-%08d", w.count)
	data := strings.Repeat(name, w.rng.IntN(60))
	s.nodes[name] = data
	return s, func(ctx context.Context, c *client.Client) error {
		_, err := c.Create(ctx, w.path+"/"+name, []byte(data))
		return err
	}
}

// check compares what is there with what must be, and goes on from it.
func (w *worker) check(ctx context.Context, c *client.Client) error {
	got, err := w.read(ctx, c)
	if err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	if !got.equal(w.known) && (w.perhaps == nil || !got.equal(*w.perhaps)) {
		return fmt.Errorf("%s after a crash:\n is  %v\n was acknowledged %v\n or perhaps %v", w.path, got, w.known, w.perhaps)
	}
	w.known, w.perhaps = got, nil
	return nil
}

func (w *worker) read(ctx context.Context, c *client.Client) (state, error) {
	s := state{nodes: map[string]string{}}
	names, err := c.ChildNames(ctx, w.path)
	if err != nil {
		return s, err
	}
	pair := map[string]string{}
	for _, name := range names {
		data, _, err := c.Get(ctx, w.path+"/"+name)
		if err != nil {
			return s, err
		}
		if name == "a" || name == "b" {
			pair[name] = string(data)
		} else {
			s.nodes[name] = string(data)
		}
	}
	if pair["a"] != pair["b"] {
		return s, fmt.Errorf("half a multi is there: a is %q, b is %q", pair["a"], pair["b"])
	}
	s.pair, err = strconv.Atoi(pair["a"])
	return s, err
}
