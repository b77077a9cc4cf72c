package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/quollhq/quoll/client"
)

func listCommands() []*command {
	return []*command{
		{
			name: "ls", usage: "[-s] [-w] [-R] path",
			options: []option{
				{name: "?", help: "help"}, {name: "s", help: "stat"}, {name: "w", help: "watch"}, {name: "R", help: "recurse"},
			},
			summary:  "List a node's children",
			examples: []string{"ls /", "ls -s /app", "ls -R /app"},
			run:      runLs,
		},
		{
			name: "tree", usage: "[-d depth] [-l] [path]", most: 1, quiet: true,
			options: []option{
				{name: "d", value: "depth", help: "levels below the path, all unless told"},
				{name: "l", help: "long: with sizes, versions and owners"},
			},
			summary:  "Draw a node and all below it",
			examples: []string{"tree", "tree -d 2 /app", "tree -l /app"},
			run:      runTree,
		},
		{
			name: "getAllChildrenNumber", usage: "path", least: 1,
			summary:  "Count all nodes below a node",
			examples: []string{"getAllChildrenNumber /app"},
			run: func(ctx context.Context, sh *shell, p *parsed) error {
				n, err := sh.client().AllChildrenNumber(ctx, p.args[0])
				if err != nil {
					return err
				}
				sh.emitLine(map[string]any{"path": p.args[0], "count": n}, "%d", n)
				return nil
			},
		},
		{
			name: "getEphemerals", usage: "path",
			summary:  "List this session's ephemeral nodes below a path, or all",
			examples: []string{"getEphemerals", "getEphemerals /app"},
			run:      runGetEphemerals,
		},
	}
}

func runGetEphemerals(ctx context.Context, sh *shell, p *parsed) error {
	prefix := "/"
	if len(p.args) > 0 {
		prefix = p.args[0]
	}
	paths, err := sh.client().Ephemerals(ctx, prefix)
	if err != nil {
		return err
	}
	sh.emitLine(map[string]any{"paths": paths}, "[%s]", strings.Join(paths, ", "))
	return nil
}

func runLs(ctx context.Context, sh *shell, p *parsed) error {
	if p.has("?") {
		sh.say("usage: ls [options] path\n%s", strings.TrimRight(describe(sh.find("ls").options), "\n"))
	}
	if len(p.args) < 1 {
		return sh.find("ls").wrongCall()
	}
	path := p.args[0]
	watch := wantsWatch(sh, p, "ls", "ls [-w] path")
	if p.has("R") {
		return lsRecursive(ctx, sh, path, watch)
	}
	names, stat, err := sh.childrenW(ctx, path, watch)
	if err != nil {
		return err
	}
	slices.Sort(names)
	doc := struct {
		Path     string   `json:"path"`
		Children []string `json:"children"`
		Stat     *statDoc `json:"stat"`
	}{path, names, newStatDoc(stat)}
	sh.emit(doc, func(w io.Writer) {
		fmt.Fprintf(w, "[%s]\n", strings.Join(names, ", "))
		if p.has("s") {
			printStat(w, stat)
		}
	})
	return nil
}

func (sh *shell) childrenW(ctx context.Context, path string, watch bool) ([]string, client.Stat, error) {
	if watch {
		names, stat, _, err := sh.client().ChildrenW(ctx, path)
		return names, stat, err
	}
	return sh.client().Children(ctx, path)
}

func lsRecursive(ctx context.Context, sh *shell, root string, watch bool) error {
	var children func(path string) ([]string, error)
	if watch {
		if _, _, _, err := sh.client().GetW(ctx, root); err != nil {
			return err
		}
		children = func(path string) ([]string, error) {
			names, _, err := sh.childrenW(ctx, path, true)
			return names, err
		}
	} else {
		all, err := readTree(ctx, sh.client(), root, -1)
		switch {
		case errors.Is(err, client.ErrNoAuth):
			// As Apache's shell, list what comes before the node that may not be read.
			if _, _, err := sh.client().Get(ctx, root); err != nil {
				return err
			}
			children = func(path string) ([]string, error) {
				names, _, err := sh.childrenW(ctx, path, false)
				return names, err
			}
		case err != nil:
			return err
		default:
			children = func(path string) ([]string, error) { return all[path], nil }
		}
	}
	return visitDepthFirst(root, children, func(path string) error {
		sh.emitLine(map[string]string{"path": path}, "%s", path)
		return nil
	})
}

// readTree reads the children of a subtree's nodes, down to depth levels below
// root, all if depth is negative.
func readTree(ctx context.Context, c *client.Client, root string, depth int) (map[string][]string, error) {
	if _, err := c.ChildNames(ctx, root); err != nil {
		return nil, err
	}
	all := map[string][]string{}
	for level := []string{root}; len(level) > 0 && depth != 0; depth-- {
		names, err := childrenOf(ctx, c, level)
		if err != nil {
			return nil, err
		}
		var next []string
		for i, parent := range level {
			if len(names[i]) > 0 {
				all[parent] = names[i]
			}
			for _, name := range names[i] {
				next = append(next, client.Join(parent, name))
			}
		}
		level = next
	}
	return all, nil
}

func runTree(ctx context.Context, sh *shell, p *parsed) error {
	root := "/"
	if len(p.args) > 0 {
		root = p.args[0]
	}
	depth, err := p.integer("d", 32, -1)
	if err != nil {
		return err
	}
	all, err := readTree(ctx, sh.client(), root, int(depth))
	if err != nil {
		return err
	}
	var stats map[string]client.Stat
	if p.has("l") || sh.json {
		if stats, err = readStats(ctx, sh.client(), root, all); err != nil {
			return err
		}
	}
	sh.emit(newTreeDoc(root, root, all, stats), func(w io.Writer) {
		d := drawing{w: w, children: all, stats: stats}
		fmt.Fprintln(w, root+d.details(root))
		d.below(root, "")
		fmt.Fprintf(w, "\n%d nodes\n", d.count+1)
	})
	return nil
}

func readStats(ctx context.Context, c *client.Client, root string, all map[string][]string) (map[string]client.Stat, error) {
	paths := []string{root}
	for parent, names := range all {
		for _, name := range names {
			paths = append(paths, client.Join(parent, name))
		}
	}
	stats, err := parallel(ctx, paths, func(ctx context.Context, path string) (client.Stat, error) {
		stat, _, err := c.Exists(ctx, path)
		return stat, err
	})
	if err != nil {
		return nil, err
	}
	m := make(map[string]client.Stat, len(paths))
	for i, path := range paths {
		m[path] = stats[i]
	}
	return m, nil
}

// drawing draws a tree with lines.
type drawing struct {
	w        io.Writer
	children map[string][]string
	stats    map[string]client.Stat // nil for names alone
	count    int
}

func (d *drawing) below(path, indent string) {
	names := d.children[path]
	for i, name := range names {
		branch, more := "├── ", "│   "
		if i == len(names)-1 {
			branch, more = "└── ", "    "
		}
		child := client.Join(path, name)
		fmt.Fprintln(d.w, indent+branch+name+d.details(child))
		d.count++
		d.below(child, indent+more)
	}
}

func (d *drawing) details(path string) string {
	if d.stats == nil {
		return ""
	}
	s := d.stats[path]
	text := fmt.Sprintf("  [%d bytes, version %d", s.DataLength, s.Version)
	if s.NumChildren > 0 {
		text += fmt.Sprintf(", %d children", s.NumChildren)
	}
	if s.EphemeralOwner != 0 {
		text += ", ephemeral of " + hex(s.EphemeralOwner)
	}
	return text + "]"
}

// treeDoc is a tree in JSON.
type treeDoc struct {
	Name     string    `json:"name"`
	Stat     *statDoc  `json:"stat,omitempty"`
	Children []treeDoc `json:"children,omitempty"`
}

func newTreeDoc(name, path string, all map[string][]string, stats map[string]client.Stat) treeDoc {
	doc := treeDoc{Name: name}
	if s, ok := stats[path]; ok {
		doc.Stat = newStatDoc(s)
	}
	for _, child := range all[path] {
		doc.Children = append(doc.Children, newTreeDoc(child, client.Join(path, child), all, stats))
	}
	return doc
}
