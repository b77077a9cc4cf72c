package cli

import (
	"context"
	"net"

	"github.com/quollhq/quoll/internal/bench"
)

func benchCommands() []*command {
	return []*command{{
		name: "bench", usage: "[options] workload...", raw: true, offline: true, quiet: true,
		summary: "Measure how fast the servers are",
		details: "Options and workloads are those of quoll bench; bench --help tells them. Servers, chroot,\n" +
			"TLS and the identities of -auth are the connection's.",
		examples: []string{"bench get set", "bench --depth 1 --connections 10 --duration 5s mixed"},
		run:      runBench,
	}}
}

func runBench(ctx context.Context, sh *shell, p *parsed) error {
	o, err := sh.benchOptions()
	if err != nil {
		return err
	}
	cmd := bench.NewCommandFor(o)
	args := p.args
	if sh.json {
		args = append([]string{"--output=json"}, args...)
	}
	cmd.SetArgs(args)
	cmd.SetOut(sh.out)
	cmd.SetErr(sh.err)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	if err := cmd.ExecuteContext(ctx); err != nil {
		return &failure{message: err.Error(), code: exitFailure, cause: err}
	}
	return nil
}

// benchOptions are the defaults for the servers of the shell.
func (sh *shell) benchOptions() (bench.Options, error) {
	servers := sh.config.servers
	if sh.conn != nil {
		servers = sh.conn.servers
	}
	list, chroot := hosts(servers)
	o := bench.DefaultOptions()
	o.Servers, o.Auth = list, sh.config.auth
	if chroot != "" {
		o.Root = chroot + "/quoll-bench"
	}
	if sh.config.tls != nil {
		host, _, err := net.SplitHostPort(o.Servers[0])
		if err != nil {
			return o, err
		}
		o.TLS = sh.config.tls.Client(host)
	}
	return o, nil
}
