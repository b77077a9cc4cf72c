package cli

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/quollhq/quoll/client"
)

const maxTTL = 1099511627775 // milliseconds

func nodeCommands() []*command {
	return []*command{
		{
			name: "create", usage: "[-s] [-e] [-c] [-t ttl] path [data] [acl]", least: 1,
			options: []option{
				{name: "e", help: "ephemeral"}, {name: "s", help: "sequential"},
				{name: "c", help: "container"}, {name: "t", value: "ttl", help: "time to live in milliseconds"},
			},
			summary: "Create a node",
			details: "An ephemeral node goes away with the session: at once in `quoll cli create -e ...`.\n" +
				"A container goes away after its last child, a node with a time to live when it is\nchildless and was not changed for so long.",
			examples: []string{"create /app", "create -s -e /app/worker- host1:8080", "create /app/secret s3cr3t auth::cdrwa", "create -t 60000 /app/lease x"},
			run:      runCreate,
		},
		{
			name: "delete", usage: "[-v version] path", least: 1,
			options:  []option{{name: "v", value: "version", help: "delete only this version of the data"}},
			summary:  "Delete a node without children",
			examples: []string{"delete /app/old", "delete -v 3 /app/old"},
			run:      runDelete,
		},
		{
			name: "deleteall", usage: "path [-b batch size]", least: 1,
			options:  []option{{name: "b", value: "batch size", help: "nodes per request, 1000 unless told"}},
			summary:  "Delete a node and all below it",
			examples: []string{"deleteall /app/old", "deleteall /app/old -b 100"},
			run:      runDeleteAll,
		},
		{
			name: "set", usage: "path data [-s] [-v version] [-b]", least: 2, verbose: true,
			options: []option{
				{name: "s", help: "Print znode stats additionally"}, {name: "v", value: "arg", help: "Set with an expected version"},
				{name: "b", help: "Supply data in base64 format"},
			},
			summary:  "Set a node's data",
			examples: []string{`set /app/config "two words"`, "set -v 4 -s /app/config x", "set -b /app/blob AAEC/w=="},
			run:      runSet,
		},
		{
			name: "get", usage: "[-s] [-w] [-b] [-x] path", least: 1, verbose: true,
			options: []option{
				{name: "s", help: "Print znode stats additionally"}, {name: "w", help: "Watch for changes on the znode"},
				{name: "b", help: "Output data in base64 format"}, {name: "x", help: "Output data in hexdump format"},
				{name: "l", help: "Linearizable: confirmed by a quorum", own: true},
			},
			summary:  "Print a node's data",
			examples: []string{"get /app/config", "get -s -w /app/config", "get -x /app/blob", "get -l /app/leader"},
			run:      runGet,
		},
		{
			name: "stat", usage: "[-w] path", least: 1,
			options:  []option{{name: "w", help: "watch"}, {name: "l", help: "linearizable: confirmed by a quorum", own: true}},
			summary:  "Print what is known of a node besides its data",
			examples: []string{"stat /app", "stat -w /app"},
			run:      runStat,
		},
	}
}

func runCreate(ctx context.Context, sh *shell, p *parsed) error {
	opts, err := createOptions(p)
	if err != nil {
		return err
	}
	var data []byte
	if len(p.args) > 1 {
		data = []byte(p.args[1])
	}
	if len(p.args) > 2 {
		acl := parseACL(sh.printer, p.args[2])
		if len(acl) == 0 {
			sh.note("%s", keeperMessage(client.ErrInvalidACL, ""))
			return &client.OpError{Op: "create", Err: client.ErrInvalidACL}
		}
		opts = append(opts, acl)
	}
	path, err := sh.client().Create(ctx, p.args[0], data, opts...)
	switch {
	case errors.Is(err, client.ErrEphemeralOnLocalSession):
		sh.note("Unable to create ephemeral node on a local session")
	case errors.Is(err, client.ErrInvalidACL):
		sh.note("%s", keeperMessage(client.ErrInvalidACL, pathOf(err)))
	}
	if err != nil {
		return err
	}
	sh.drain()
	if sh.json {
		sh.print(map[string]string{"path": path}, nil)
	}
	sh.note("Created %s", path)
	return nil
}

func createOptions(p *parsed) ([]client.CreateOption, error) {
	e, s, c, t := p.has("e"), p.has("s"), p.has("c"), p.has("t")
	if c && (e || s) {
		return nil, failf("-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.")
	}
	var ttl int64
	if t {
		var err error
		if ttl, err = strconv.ParseInt(p.values["t"], 10, 64); err != nil {
			return nil, failf("-t argument must be a long value")
		}
	}
	switch {
	case t && e:
		return nil, failf("TTLs cannot be used with Ephemeral znodes")
	case t && c:
		return nil, failf("TTLs cannot be used with Container znodes")
	case t && (ttl <= 0 || ttl > maxTTL):
		return nil, failf("ttl must be positive and cannot be larger than: %d", int64(maxTTL))
	}
	mode := client.Persistent
	switch {
	case e && s:
		mode = client.EphemeralSequential
	case e:
		mode = client.Ephemeral
	case s:
		mode = client.PersistentSequential
	case c:
		mode = client.Container
	}
	opts := []client.CreateOption{mode}
	if t {
		opts = append(opts, client.TTL(time.Duration(ttl)*time.Millisecond))
	}
	return opts, nil
}

func runDelete(ctx context.Context, sh *shell, p *parsed) error {
	version, err := p.integer("v", 32, -1)
	if err != nil {
		return err
	}
	if len(p.args) > 1 {
		sh.note("'delete path [version]' has been deprecated. Please use 'delete [-v version] path' instead.")
		if version, err = strconv.ParseInt(p.args[1], 10, 32); err != nil {
			return failf("the version must be a number, not %q", p.args[1])
		}
	}
	if err := sh.client().Delete(ctx, p.args[0], int32(version)); err != nil {
		return err
	}
	return sh.emitPath(p.args[0])
}

// emitPath is the result of a command that has nothing to tell people.
func (sh *shell) emitPath(path string) error {
	sh.drain()
	if sh.json {
		sh.print(map[string]string{"path": path}, nil)
	}
	return nil
}

func runDeleteAll(ctx context.Context, sh *shell, p *parsed) error {
	batch, err := strconv.Atoi(valueOr(p, "b", "1000"))
	if err != nil {
		return failf("-b argument must be an int value")
	}
	all, err := deleteAll(ctx, sh.client(), p.args[0], batch)
	if err != nil {
		return err
	}
	if !all {
		sh.note("Failed to delete some node(s) in the subtree!")
	}
	return sh.emitPath(p.args[0])
}

func valueOr(p *parsed, name, otherwise string) string {
	if v, ok := p.values[name]; ok {
		return v
	}
	return otherwise
}

func runSet(ctx context.Context, sh *shell, p *parsed) error {
	data := []byte(p.args[1])
	if p.has("b") {
		var err error
		if data, err = base64.StdEncoding.DecodeString(p.args[1]); err != nil {
			return failf("the data is not base64: %v", err)
		}
	}
	version, err := p.integer("v", 32, -1)
	if err != nil {
		return err
	}
	stat, err := sh.client().Set(ctx, p.args[0], data, int32(version))
	if err != nil {
		return err
	}
	sh.emitStat(p.args[0], stat, p.has("s"))
	return nil
}

// statResult is a path and its Stat in JSON.
type statResult struct {
	Path string   `json:"path"`
	Stat *statDoc `json:"stat,omitempty"`
}

// emitStat prints a Stat, for people only if they asked for it.
func (sh *shell) emitStat(path string, stat client.Stat, asked bool) {
	sh.emit(statResult{path, newStatDoc(stat)}, func(w io.Writer) {
		if asked {
			printStat(w, stat)
		}
	})
}

// wantsWatch tells whether a command that reads shall watch: by -w, or by one
// more argument, as in old versions.
func wantsWatch(sh *shell, p *parsed, name, form string) bool {
	if len(p.args) > 1 {
		sh.note("'%s path [watch]' has been deprecated. Please use '%s' instead.", name, form)
		return true
	}
	return p.has("w")
}

// readContext is ctx for the reads of a command.
func readContext(ctx context.Context, p *parsed) context.Context {
	if p.has("l") {
		return client.Linearizable(ctx)
	}
	return ctx
}

func runGet(ctx context.Context, sh *shell, p *parsed) error {
	ctx = readContext(ctx, p)
	path := p.args[0]
	var data []byte
	var stat client.Stat
	var err error
	if wantsWatch(sh, p, "get", "get [-s] [-w] path") {
		data, stat, _, err = sh.client().GetW(ctx, path)
	} else {
		data, stat, err = sh.client().Get(ctx, path)
	}
	if err != nil {
		return err
	}
	doc := struct {
		Path string `json:"path"`
		dataDoc
		Stat *statDoc `json:"stat"`
	}{path, newDataDoc(data), newStatDoc(stat)}
	sh.emit(doc, func(w io.Writer) {
		printData(w, data, p)
		if p.has("s") {
			printStat(w, stat)
		}
	})
	return nil
}

func printData(w io.Writer, data []byte, p *parsed) {
	if data == nil {
		data = []byte("null")
	}
	switch {
	case p.has("x"):
		fmt.Fprintln(w, hexDump(data))
	case p.has("b"):
		fmt.Fprintln(w, base64.StdEncoding.EncodeToString(data))
	default:
		fmt.Fprintf(w, "%s\n", data)
	}
}

func runStat(ctx context.Context, sh *shell, p *parsed) error {
	ctx = readContext(ctx, p)
	path := p.args[0]
	var stat client.Stat
	var found bool
	var err error
	if wantsWatch(sh, p, "stat", "stat [-w] path") {
		stat, found, _, err = sh.client().ExistsW(ctx, path)
	} else {
		stat, found, err = sh.client().Exists(ctx, path)
	}
	if err == nil && !found {
		err = &client.OpError{Op: "exists", Path: path, Err: client.ErrNoNode}
	}
	if err != nil {
		return err
	}
	sh.emitStat(path, stat, true)
	return nil
}
