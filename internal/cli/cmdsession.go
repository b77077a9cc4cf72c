package cli

import (
	"context"
	"runtime/debug"
)

func sessionCommands() []*command {
	return []*command{
		{
			name: "connect", usage: "host:port", offline: true, raw: true,
			summary:  "Open a session at other servers, or a new one",
			examples: []string{"connect zk2:2181,zk3:2181/app"},
			run: func(ctx context.Context, sh *shell, p *parsed) error {
				servers := sh.config.servers
				if sh.conn != nil {
					servers = sh.conn.servers
				}
				if len(p.args) > 0 {
					servers = p.args[0]
				}
				return sh.connect(ctx, servers)
			},
		},
		{
			name: "close", usage: "", raw: true,
			summary:  "Close the session",
			examples: []string{"close"},
			run:      func(_ context.Context, sh *shell, _ *parsed) error { return sh.disconnect() },
		},
		{
			name: "quit", usage: "", offline: true, raw: true,
			summary:  "Leave",
			examples: []string{"quit"},
			run:      quit,
		},
		{
			name: "exit", usage: "", offline: true, raw: true,
			summary:  "Leave",
			examples: []string{"exit"},
			run:      quit,
		},
		{
			name: "version", usage: "",
			summary:  "Print the version of this program",
			examples: []string{"version"},
			run: func(_ context.Context, sh *shell, p *parsed) error {
				if len(p.args) > 0 {
					return sh.find("version").wrongCall()
				}
				v := version()
				sh.emitLine(map[string]string{"version": v}, "ZooKeeper CLI version: %s", v)
				return nil
			},
		},
	}
}

func quit(_ context.Context, sh *shell, _ *parsed) error {
	sh.done = true
	return nil
}

// protocolVersion is the version of ZooKeeper whose commands these are.
const protocolVersion = "3.9.4"

// version has the form of Apache's: version-revision, built on date.
func version() string {
	revision, date := "unknown", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				revision = s.Value
			case "vcs.time":
				date = s.Value
			}
		}
	}
	return protocolVersion + "-quoll-" + revision + ", built on " + date
}
