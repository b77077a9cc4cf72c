package cli

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/quollhq/quoll/client"
)

// systemRoot is the subtree that belongs to the servers.
const systemRoot = "/zookeeper"

// exporter reads a subtree, level by level.
type exporter struct {
	c         *client.Client
	root      string
	acls      bool
	ephemeral bool
	marks     []mark

	count, skipped int
	warnings       []string
}

// found is one node as it was read; gone if it went away meanwhile.
type found struct {
	doc       nodeDoc
	ephemeral bool
	masked    bool // passwords in its ACL were not told
	gone      bool
}

// exportChunk bounds the nodes whose data is in memory at once.
const exportChunk = 1024

func (e *exporter) run(ctx context.Context, sink nodeSink) error {
	if _, found, err := e.c.Exists(ctx, e.root); err != nil {
		return err
	} else if !found {
		return &client.OpError{Op: "exists", Path: e.root, Err: client.ErrNoNode}
	}
	for level := []string{e.root}; len(level) > 0; {
		kept, err := e.level(ctx, sink, level)
		if err != nil {
			return err
		}
		if level, err = e.below(ctx, kept); err != nil {
			return err
		}
	}
	return nil
}

// level writes the nodes of one level and returns those whose children are to
// be written.
func (e *exporter) level(ctx context.Context, sink nodeSink, paths []string) (kept []string, err error) {
	for len(paths) > 0 {
		chunk := paths[:min(exportChunk, len(paths))]
		paths = paths[len(chunk):]
		nodes, err := parallel(ctx, chunk, e.read)
		if err != nil {
			return nil, err
		}
		for i, n := range nodes {
			switch {
			case n.gone:
				continue
			case n.ephemeral && !e.ephemeral:
				e.skipped++
				continue
			case n.masked:
				e.warnings = append(e.warnings, fmt.Sprintf("The passwords in the ACL of %s are hidden from you, so an import cannot restore them; addauth as somebody with the right a first", chunk[i]))
			}
			if err := sink.put(n.doc); err != nil {
				return nil, err
			}
			e.count++
			kept = append(kept, chunk[i])
		}
	}
	return kept, nil
}

func (e *exporter) below(ctx context.Context, parents []string) ([]string, error) {
	names, err := childrenOf(ctx, e.c, parents)
	if err != nil {
		return nil, err
	}
	var paths []string
	for i, parent := range parents {
		for _, name := range names[i] {
			if p := client.Join(parent, name); p != systemRoot {
				paths = append(paths, p)
			}
		}
	}
	return paths, nil
}

func (e *exporter) read(ctx context.Context, at string) (found, error) {
	data, stat, err := e.c.Get(ctx, at)
	if errors.Is(err, client.ErrNoNode) {
		return found{gone: true}, nil
	}
	if err != nil {
		return found{}, err
	}
	n := found{doc: nodeDoc{Path: e.relative(at), dataDoc: newDataDoc(data)}, ephemeral: stat.EphemeralOwner != 0}
	for _, m := range e.marks {
		if ok, _ := path.Match(m.pattern, at); ok { // patterns were checked
			n.doc.Container, n.doc.TTL = n.doc.Container || m.container, max(n.doc.TTL, m.ttl.Milliseconds())
		}
	}
	if !e.acls {
		return n, nil
	}
	acl, _, err := e.c.ACL(ctx, at)
	if errors.Is(err, client.ErrNoNode) {
		return found{gone: true}, nil
	}
	if err != nil {
		return found{}, err
	}
	if !isOpen(acl) {
		n.doc.ACL = newACLDocs(acl)
	}
	for _, a := range acl {
		n.masked = n.masked || a.Scheme == "digest" && strings.HasSuffix(a.ID, ":x")
	}
	return n, nil
}

// relative is a path below the root of the export.
func (e *exporter) relative(at string) string {
	if e.root == "/" {
		return strings.TrimSuffix(at, "/")
	}
	return strings.TrimPrefix(at, e.root)
}
