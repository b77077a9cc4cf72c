package cli

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/quollhq/quoll/client"
)

// importer makes nodes below a target.
type importer struct {
	c        *client.Client
	target   string
	acls     bool
	existing string // fail, skip or overwrite

	created, overwritten, skipped int
}

type importedAs int

const (
	asCreated importedAs = iota
	asOverwritten
	asSkipped
)

// importChunk bounds the nodes that are made at once.
const importChunk = walkReads

// run makes nodes many at a time, but never a node together with its parent.
func (im *importer) run(ctx context.Context, nodes nodeSeq) error {
	if err := im.makeAbove(ctx); err != nil {
		return err
	}
	chunk := map[string]nodeDoc{}
	var order []string
	flush := func() error {
		err := im.put(ctx, order, chunk)
		order = order[:0]
		clear(chunk)
		return err
	}
	for n, err := range nodes {
		if err != nil {
			return err
		}
		at := n.at(im.target)
		if err := im.check(n, at); err != nil {
			return err
		}
		if at == systemRoot || strings.HasPrefix(at, systemRoot+"/") {
			im.skipped++
			continue
		}
		_, withParent := chunk[path.Dir(at)]
		_, twice := chunk[at]
		if withParent || twice || len(order) == importChunk {
			if err := flush(); err != nil {
				return err
			}
		}
		chunk[at] = n
		order = append(order, at)
	}
	return flush()
}

func (im *importer) check(n nodeDoc, at string) error {
	if n.Path != "" && !strings.HasPrefix(n.Path, "/") {
		return fmt.Errorf("%w: path %q of a node does not begin with a slash", errFormat, n.Path)
	}
	if err := client.ValidatePath(at); err != nil {
		return fmt.Errorf("node %q: %w", n.Path, err)
	}
	return nil
}

// makeAbove makes the nodes above the target.
func (im *importer) makeAbove(ctx context.Context) error {
	for i := 1; i < len(im.target); i++ {
		if im.target[i] != '/' {
			continue
		}
		if _, err := im.c.Create(ctx, im.target[:i], nil); err != nil && !errors.Is(err, client.ErrNodeExists) {
			return err
		}
	}
	return nil
}

func (im *importer) put(ctx context.Context, order []string, nodes map[string]nodeDoc) error {
	done, err := parallel(ctx, order, func(ctx context.Context, at string) (importedAs, error) {
		n := nodes[at]
		return im.node(ctx, at, &n)
	})
	for _, as := range done {
		switch as {
		case asCreated:
			im.created++
		case asOverwritten:
			im.overwritten++
		case asSkipped:
			im.skipped++
		}
	}
	return err
}

// node makes one node, or deals with the one that is there.
func (im *importer) node(ctx context.Context, at string, n *nodeDoc) (importedAs, error) {
	opts, err := n.options(im.acls)
	if err != nil {
		return asSkipped, err
	}
	err = client.ErrNodeExists // which the root always does
	if at != "/" {
		_, err = im.c.Create(ctx, at, n.bytes(), opts...)
	}
	switch {
	case err == nil:
		return asCreated, nil
	case !errors.Is(err, client.ErrNodeExists):
		return asSkipped, err
	case im.existing == "overwrite":
		return asOverwritten, im.overwrite(ctx, at, n)
	case im.existing == "skip" || at == "/":
		return asSkipped, nil
	}
	return asSkipped, err
}

func (im *importer) overwrite(ctx context.Context, at string, n *nodeDoc) error {
	if _, err := im.c.Set(ctx, at, n.bytes(), client.AnyVersion); err != nil {
		return err
	}
	if !im.acls {
		return nil
	}
	acl := client.OpenACL()
	if len(n.ACL) > 0 {
		var err error
		if acl, err = n.acl(); err != nil {
			return err
		}
	}
	_, err := im.c.SetACL(ctx, at, acl, client.AnyVersion)
	return err
}
