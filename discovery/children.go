package discovery

import (
	"context"
	"errors"
	"strings"

	"github.com/quollhq/quoll/client"
)

// readAtOnce bounds the nodes that one request reads.
const readAtOnce = 500

// child is one child of a node.
type child struct {
	data []byte
	stat client.Stat
	err  error // it cannot be read
}

// children are the children of a node, as they were when they were last read.
type children struct {
	c    *client.Client
	dir  string
	have map[string]child
}

// load reads all. That there is no node means that it has no children.
func (n *children) load(ctx context.Context) error {
	names, err := n.c.ChildNames(ctx, n.dir)
	if err != nil && !errors.Is(err, client.ErrNoNode) {
		return err
	}
	n.have = make(map[string]child, len(names))
	return n.read(ctx, names)
}

// read reads some children anew; one that is gone is forgotten.
func (n *children) read(ctx context.Context, names []string) error {
	for len(names) > 0 {
		some := names[:min(len(names), readAtOnce)]
		names = names[len(some):]
		ops := make([]client.ReadOp, len(some))
		for i, name := range some {
			ops[i] = client.GetOp(client.Join(n.dir, name))
		}
		results, err := n.c.MultiRead(ctx, ops...)
		if err != nil {
			return err
		}
		for i, r := range results {
			if errors.Is(r.Err, client.ErrNoNode) {
				delete(n.have, some[i])
				continue
			}
			n.have[some[i]] = child{r.Data, r.Stat, r.Err}
		}
	}
	return nil
}

// nameOf is the name of the child that a path is; ok is false if it is that of
// another node.
func (n *children) nameOf(path string) (name string, ok bool) {
	name, ok = strings.CutPrefix(path, client.Join(n.dir, ""))
	return name, ok && name != "" && !strings.Contains(name, "/")
}
