package contend

import (
	"context"
	"errors"
	"fmt"

	"github.com/quollhq/quoll/client"
)

// Participant is one contender as others see it.
type Participant struct {
	Entry
	Path string
	Data []byte
	Stat client.Stat
}

// List lists who contends for path, the first one first. There may be none.
func List(ctx context.Context, c *client.Client, path string) ([]Participant, error) {
	names, err := c.ChildNames(ctx, path)
	if errors.Is(err, client.ErrNoNode) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries, err := Order(path, names)
	if err != nil {
		return nil, err
	}
	return read(ctx, c, path, entries)
}

// read reads the nodes of entries; those that have gone meanwhile are left out.
func read(ctx context.Context, c *client.Client, path string, entries []Entry) ([]Participant, error) {
	const batch = 256
	var list []Participant
	for start := 0; start < len(entries); start += batch {
		part := entries[start:min(start+batch, len(entries))]
		ops := make([]client.ReadOp, len(part))
		for i, e := range part {
			ops[i] = client.GetOp(client.Join(path, e.Name))
		}
		results, err := c.MultiRead(ctx, ops...)
		if err != nil {
			return nil, fmt.Errorf("reading the contenders for %s: %w", path, err)
		}
		for i, r := range results {
			switch {
			case r.Err == nil:
				list = append(list, Participant{part[i], client.Join(path, part[i].Name), r.Data, r.Stat})
			case !errors.Is(r.Err, client.ErrNoNode):
				return nil, fmt.Errorf("reading %s: %w", client.Join(path, part[i].Name), r.Err)
			}
		}
	}
	return list, nil
}
