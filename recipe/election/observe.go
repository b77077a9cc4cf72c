package election

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/recipe/internal/contend"
)

// Leader is who leads, or takes part. The zero value is nobody.
type Leader struct {
	ID      string // as it calls itself
	Path    string // of its node
	Token   int64  // larger than those of earlier leaders
	Session int64
}

func leader(path string, data []byte, stat client.Stat) Leader {
	return Leader{string(data), path, stat.Czxid, stat.EphemeralOwner}
}

// Participants lists who takes part, the leader first.
func (e *Election) Participants(ctx context.Context) ([]Leader, error) {
	list, err := contend.List(ctx, e.c, e.path)
	if err != nil {
		return nil, fmt.Errorf("election %s: %w", e.path, err)
	}
	found := make([]Leader, len(list))
	for i, p := range list {
		found[i] = leader(p.Path, p.Data, p.Stat)
	}
	return found, nil
}

// Leader is who leads at present; the zero value if nobody does.
func (e *Election) Leader(ctx context.Context) (Leader, error) {
	for {
		first, err := e.first(ctx)
		if err != nil || first == "" {
			return Leader{}, err
		}
		data, stat, err := e.c.Get(ctx, first)
		if errors.Is(err, client.ErrNoNode) {
			continue
		}
		return leader(first, data, stat), err
	}
}

// first is the path of the leader's node, "" if there is none.
func (e *Election) first(ctx context.Context) (string, error) {
	names, err := e.c.ChildNames(ctx, e.path)
	if errors.Is(err, client.ErrNoNode) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	entries, err := contend.Order(e.path, names)
	if err != nil || len(entries) == 0 {
		return "", err
	}
	return client.Join(e.path, entries[0].Name), nil
}

// Observe ranges over the leaders: the present one, which may be nobody, and
// each change, also that of what a leader proclaims. Of changes that come faster
// than they are taken, the last one counts. The last pair holds the error that
// ended it, that of ctx included.
func (e *Election) Observe(ctx context.Context) iter.Seq2[Leader, error] {
	return func(yield func(Leader, error) bool) {
		last, known := Leader{}, false
		for {
			now, changed, forget, err := e.look(ctx)
			if errors.Is(err, client.ErrSessionExpired) && e.c.WaitConnected(ctx) == nil {
				continue
			}
			if err != nil {
				yield(Leader{}, err)
				return
			}
			if (now != last || !known) && !yield(now, nil) {
				forget()
				return
			}
			last, known = now, true
			select {
			case <-changed:
			case <-ctx.Done():
				forget()
				yield(Leader{}, ctx.Err())
				return
			}
		}
	}
}

// look finds the leader, and watches its node, or if there is none what may make
// one.
func (e *Election) look(ctx context.Context) (now Leader, changed <-chan client.Event, forget func(), err error) {
	for {
		first, err := e.first(ctx)
		if err != nil {
			return now, nil, nil, err
		}
		if first != "" {
			data, stat, ch, err := e.c.GetW(ctx, first)
			if errors.Is(err, client.ErrNoNode) {
				continue
			}
			return leader(first, data, stat), ch, func() { e.c.ForgetWatch(first, ch) }, err
		}
		names, _, ch, err := e.c.ChildrenW(ctx, e.path)
		if errors.Is(err, client.ErrNoNode) {
			var found bool
			if _, found, ch, err = e.c.ExistsW(ctx, e.path); err == nil && found {
				e.c.ForgetWatch(e.path, ch)
				continue
			}
		}
		if err == nil && len(names) > 0 {
			e.c.ForgetWatch(e.path, ch)
			continue
		}
		return now, ch, func() { e.c.ForgetWatch(e.path, ch) }, err
	}
}
