package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/quollhq/quoll/client"
)

func ensembleCommands() []*command {
	return []*command{
		{
			name: "config", usage: "[-c] [-w] [-s]",
			options:  []option{{name: "s", help: "stats"}, {name: "w", help: "watch"}, {name: "c", help: "client connection string"}},
			summary:  "Print the configuration of the ensemble",
			examples: []string{"config", "config -c"},
			run:      runConfig,
		},
		{
			name: "reconfig",
			usage: "[-s] [-v version] [[-file path] | [-members serverID=host:port1:port2;port3[,...]*]] | " +
				"[-add serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]",
			options: []option{
				{name: "s", help: "stats"}, {name: "v", value: "version", help: "required current config version"},
				{name: "file", value: "path", help: "path of config file to parse for membership"},
				{name: "members", value: "list", help: "comma-separated list of config strings for non-incremental reconfig"},
				{name: "add", value: "list", help: "comma-separated list of config strings for new servers"},
				{name: "remove", value: "ids", help: "comma-separated list of server IDs to remove"},
			},
			summary: "Change the members of the ensemble",
			examples: []string{
				"reconfig -add server.4=host4:2888:3888;2181", "reconfig -remove 2,3", "reconfig -file zoo.cfg.dynamic",
			},
			run: runReconfig,
		},
		{
			name: "sync", usage: "path", least: 1,
			summary:  "Let this session see everything committed so far",
			examples: []string{"sync /"},
			run:      runSync,
		},
	}
}

func runConfig(ctx context.Context, sh *shell, p *parsed) error {
	var data []byte
	var stat client.Stat
	var err error
	if p.has("w") {
		data, stat, _, err = sh.client().ConfigW(ctx)
	} else {
		data, stat, err = sh.client().Config(ctx)
	}
	if err != nil {
		return err
	}
	text := string(data)
	if data == nil {
		text = "null"
	}
	if p.has("c") {
		text = clientAddresses(text)
	}
	sh.emit(map[string]any{"config": text, "stat": newStatDoc(stat)}, func(w io.Writer) {
		fmt.Fprintln(w, text)
		if p.has("s") {
			printStat(w, stat)
		}
	})
	return nil
}

// clientAddresses is the version of a configuration and where clients find its
// servers, by their ids.
func clientAddresses(config string) string {
	version := ""
	type member struct {
		id   int64
		addr string
	}
	var members []member
	for line := range strings.Lines(config) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if key == "version" {
			version = value
		}
		id, ok := strings.CutPrefix(key, "server.")
		if !ok {
			continue
		}
		n, _ := strconv.ParseInt(id, 10, 64) // what is no number sorts first
		_, client, found := strings.Cut(value, ";")
		if addr, _, _ := strings.Cut(client, ";"); found {
			members = append(members, member{n, withHost(addr)})
		}
	}
	slices.SortFunc(members, func(a, b member) int { return int(a.id - b.id) })
	addrs := make([]string, len(members))
	for i, m := range members {
		addrs[i] = m.addr
	}
	return version + " " + strings.Join(addrs, ",")
}

// withHost completes a client address that is a port alone.
func withHost(addr string) string {
	if strings.Contains(addr, ":") {
		return addr
	}
	return "0.0.0.0:" + addr
}

func runReconfig(ctx context.Context, sh *shell, p *parsed) error {
	change, err := reconfiguration(sh, p)
	if err != nil {
		return err
	}
	data, stat, err := sh.client().Reconfigure(ctx, change)
	if err != nil {
		return &advised{err, refusedChange(ctx, sh.client(), change, err)}
	}
	sh.emit(map[string]any{"config": string(data), "stat": newStatDoc(stat)}, func(w io.Writer) {
		fmt.Fprintf(w, "Committed new configuration:\n%s\n", data)
		if p.has("s") {
			printStat(w, stat)
		}
	})
	return nil
}

func reconfiguration(sh *shell, p *parsed) (client.Reconfiguration, error) {
	change := client.Reconfiguration{
		Joining: strings.ToLower(p.values["add"]),
		Leaving: strings.ToLower(p.values["remove"]),
		Members: strings.ToLower(p.values["members"]),
		Version: -1,
	}
	whole, part := p.has("file") || p.has("members"), p.has("add") || p.has("remove")
	if !whole && !part {
		return change, sh.find("reconfig").wrongCall()
	}
	if v, ok := p.values["v"]; ok {
		n, err := strconv.ParseInt(v, 16, 64)
		if err != nil {
			return change, failf("-v must be followed by a long (configuration version)")
		}
		change.Version = n
	}
	switch {
	case whole && part:
		return change, failf("Can't use -file or -members together with -add or -remove (mixing incremental and non-incremental modes is not allowed)")
	case p.has("file") && p.has("members"):
		return change, failf("Can't use -file and -members together (conflicting non-incremental modes)")
	case p.has("file"):
		members, err := readMembers(p.values["file"])
		if err != nil {
			return change, failf("Error processing %s: %v", p.values["file"], err)
		}
		change.Members = members
	}
	return change, nil
}

// readMembers picks the lines about members out of a configuration file.
func readMembers(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	var lines []string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		for _, key := range []string{"server.", "group.", "weight."} {
			if strings.HasPrefix(line, key) {
				lines = append(lines, line)
			}
		}
	}
	if len(lines) == 0 {
		return "", errors.New("it names no server")
	}
	return strings.Join(lines, ","), nil
}

func runSync(ctx context.Context, sh *shell, p *parsed) error {
	err := sh.client().Sync(ctx, p.args[0])
	if code, ok := codeOf(err); ok && !errors.Is(err, client.ErrBadArguments) {
		sh.emitLine(map[string]any{"rc": int32(code)}, "Sync has failed. rc=%d", int32(code))
		return nil
	}
	if err != nil {
		return err
	}
	sh.emitLine(map[string]any{"rc": 0}, "Sync is OK")
	return nil
}
