package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/quollhq/quoll/client"
)

func copyCommands() []*command {
	return []*command{
		{
			name: "export", usage: "[--file file | --dir directory] [--no-acl] [--ephemeral] [--containers patterns] [--ttl pattern=ms,...] path",
			least: 1, most: 1, quiet: true,
			options: []option{
				{name: "file", value: "file", group: "to", help: "write JSON to a file instead of to standard output"},
				{name: "dir", value: "directory", group: "to", help: "write a directory tree"},
				{name: "no-acl", help: "leave ACLs out"},
				{name: "ephemeral", help: "with ephemeral nodes, which are imported as persistent ones"},
				{name: "containers", value: "patterns", help: "mark these paths as containers, for example /app/locks/*"},
				{name: "ttl", value: "pattern=ms", help: "mark these paths as having a time to live"},
			},
			summary: "Write a node and all below it to a file or directory",
			details: "Each node is read by itself: what changes meanwhile may be seen in part.\n" +
				"Servers do not tell clients which nodes are containers or have a time to live;\n" +
				"--containers and --ttl mark them for the import.",
			examples: []string{"quoll cli export /app > app.json", "export --file app.json /app", "export --dir ./app /app"},
			run:      runExport,
		},
		{
			name: "import", usage: "[--prefix path] [--existing fail|skip|overwrite] [--no-acl] source",
			least: 1, most: 1, quiet: true,
			options: []option{
				{name: "prefix", value: "path", help: "put the tree here instead of where it was exported from"},
				{name: "existing", value: "what", help: "nodes that are there: fail (the default), skip or overwrite"},
				{name: "no-acl", help: "leave ACLs out: everything is open to all"},
			},
			summary: "Make nodes from what export has written",
			details: "The source is a file, a directory, or - for standard input. Nodes above the tree are\nmade if need be. Nodes are made one by one: an import that fails leaves those before.",
			examples: []string{
				"quoll cli import - < app.json", "import --prefix /copy app.json", "import --existing overwrite ./app",
			},
			run: runImport,
		},
	}
}

func runExport(ctx context.Context, sh *shell, p *parsed) error {
	root := p.args[0]
	marks, err := parseMarks(p)
	if err != nil {
		return err
	}
	sh.drain()
	sink, err := openSink(sh, p, root)
	if err != nil {
		return err
	}
	e := exporter{c: sh.client(), acls: !p.has("no-acl"), ephemeral: p.has("ephemeral"), marks: marks, root: root}
	err = e.run(ctx, sink)
	if err := errors.Join(err, sink.close(err == nil)); err != nil {
		return err
	}
	for _, w := range e.warnings {
		sh.note("%s", w)
	}
	to := p.values["file"] + p.values["dir"]
	if sh.json && to != "" {
		sh.print(map[string]any{"path": root, "nodes": e.count, "ephemeralSkipped": e.skipped, "to": to}, nil)
	}
	sh.note("Exported %d nodes of %s, %d ephemeral nodes left out", e.count, root, e.skipped)
	return nil
}

func openSink(sh *shell, p *parsed, root string) (nodeSink, error) {
	if p.has("dir") {
		return newDirSink(p.values["dir"], root)
	}
	if p.has("file") {
		return newFileSink(p.values["file"], root)
	}
	return newJSONSink(lockedWriter{sh.printer}, root)
}

// lockedWriter writes to the shell's output, whole pieces at a time.
type lockedWriter struct{ p *printer }

func (w lockedWriter) Write(b []byte) (int, error) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	return w.p.out.Write(b)
}

// mark tells of paths what servers do not tell.
type mark struct {
	pattern   string
	container bool
	ttl       time.Duration
}

func parseMarks(p *parsed) ([]mark, error) {
	var marks []mark
	for pattern := range strings.SplitSeq(p.values["containers"], ",") {
		if pattern != "" {
			marks = append(marks, mark{pattern: pattern, container: true})
		}
	}
	for entry := range strings.SplitSeq(p.values["ttl"], ",") {
		if entry == "" {
			continue
		}
		pattern, value, _ := strings.Cut(entry, "=")
		ms, err := strconv.ParseInt(value, 10, 64)
		if err != nil || ms <= 0 || ms > maxTTL {
			return nil, failf("--ttl wants pattern=milliseconds, not %q", entry)
		}
		marks = append(marks, mark{pattern: pattern, ttl: time.Duration(ms) * time.Millisecond})
	}
	for _, m := range marks {
		if _, err := path.Match(m.pattern, "/"); err != nil {
			return nil, failf("%q is no pattern: %v", m.pattern, err)
		}
	}
	return marks, nil
}

func runImport(ctx context.Context, sh *shell, p *parsed) error {
	im := importer{c: sh.client(), acls: !p.has("no-acl"), existing: valueOr(p, "existing", "fail")}
	switch im.existing {
	case "fail", "skip", "overwrite":
	default:
		return failf("--existing wants fail, skip or overwrite, not %q", im.existing)
	}
	root, nodes, done, err := openSource(sh, p.args[0])
	if err != nil {
		return err
	}
	defer done()
	im.target = valueOr(p, "prefix", root)
	if err := client.ValidatePath(im.target); err != nil {
		return err
	}
	if err := im.run(ctx, nodes); err != nil {
		if code, ok := codeOf(err); ok && code == client.ErrNodeExists {
			sh.note("To go on with nodes that are there: --existing skip, or overwrite")
		}
		return err
	}
	doc := map[string]any{"path": im.target, "created": im.created, "overwritten": im.overwritten, "skipped": im.skipped}
	sh.emit(doc, func(w io.Writer) {
		fmt.Fprintf(w, "Imported to %s: %d nodes created, %d overwritten, %d skipped\n", im.target, im.created, im.overwritten, im.skipped)
	})
	return nil
}

// openSource opens what import reads. done releases it.
func openSource(sh *shell, name string) (root string, nodes nodeSeq, done func(), err error) {
	if name == "-" {
		if sh.stdin == nil {
			return "", nil, nil, failf("commands come from standard input; name a file or directory")
		}
		root, nodes, err = readJSON(sh.stdin)
		return root, nodes, func() {}, err
	}
	info, err := os.Stat(name)
	if err != nil {
		return "", nil, nil, failf("%v", err)
	}
	if info.IsDir() {
		root, nodes, err = readDir(name)
		return root, nodes, func() {}, err
	}
	f, err := os.Open(name)
	if err != nil {
		return "", nil, nil, failf("%v", err)
	}
	root, nodes, err = readJSON(f)
	if err != nil {
		return "", nil, nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	return root, nodes, func() { _ = f.Close() }, nil // it was only read
}
