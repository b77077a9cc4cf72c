package functions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/discovery"
	"github.com/quollhq/quoll/internal/cli"
	"github.com/quollhq/quoll/internal/supervise"
)

// registering is what the flags of `quoll register` say.
type registering struct {
	dial    *cli.Dialer
	layout  layoutFlags
	in      discovery.Instance
	meta    []string
	checks  []string
	how     discovery.Checking
	drain   time.Duration
	command []string
	grace   time.Duration // from SIGTERM to SIGKILL
}

// newRegister makes `quoll register`.
func newRegister() *cobra.Command {
	r := &registering{}
	cmd := &cobra.Command{
		Use:   "register SERVICE [flags] [-- COMMAND [ARG...]]",
		Short: "Register an instance of a service while this command runs",
		Long: `Register an instance of a service until this command is interrupted, or until
COMMAND ends. An interruption makes the instance leave, and then the command gets
SIGTERM, and SIGKILL after the grace; so does, on Linux, all that it has started. The
exit code is the command's (128 and the signal that ended it). If quoll is killed (kill -9), the command is
killed, too, and the instance leaves when the session has expired
(--session-timeout).

One id is one instance's: who registers with an id that is taken takes it over, and
says so. The other one ends, with its command, and says who has taken its place.

The instance is withdrawn while a check fails:
  http://HOST:PORT/PATH, https://...   a GET is answered with a status of 200 to 299
  tcp://HOST:PORT                      a connection can be opened
  grpc://HOST:PORT/SERVICE, grpcs://.. gRPC's health service says that it serves
  script:COMMAND                       the shell command exits with 0
  ttl:TIME:FILE                        FILE was written, or touched, within TIME`,
		Example: `  quoll register orders --address 10.0.0.7 --port 8080
  quoll register orders --port 8080 --zone eu-1a --weight 2 --check http://localhost:8080/health
  quoll register orders --port 8080 -- ./orders-server -listen :8080`,
		RunE: func(cmd *cobra.Command, args []string) error {
			own, command, err := commandAfter(cmd, args, 1, false)
			if err != nil {
				return err
			}
			if len(command) == 0 {
				err = idle(cmd, "a command", "grace")
			}
			if err := errors.Join(err, notNegative(cmd, "grace", "drain"), r.checking(cmd)); err != nil {
				return err
			}
			r.in.Service, r.command = own[0], command
			return r.run(cmd)
		},
	}
	r.dial = cli.NewDialer(cmd)
	r.dial.AddOutput(cmd)
	r.layout.add(cmd)
	f := cmd.Flags()
	f.StringVar(&r.in.ID, "id", "", "id of the instance (default a random one)")
	f.StringVar(&r.in.Address, "address", "", "host name or IP address (default that from which the server is reached)")
	f.IntVar(&r.in.Port, "port", 0, "port")
	f.IntVar(&r.in.SSLPort, "ssl-port", 0, "port with TLS")
	f.StringVar(&r.in.Scheme, "scheme", "", "protocol, as http, grpc, dubbo")
	f.IntVar(&r.in.Weight, "weight", 0, "share of the load compared with others")
	f.StringVar(&r.in.Zone, "zone", "", "where it runs")
	f.StringArrayVar(&r.meta, "meta", nil, "key=value; may be given several times")
	f.BoolVar(&r.in.Static, "static", false, "stay registered when this command is killed")
	f.StringArrayVar(&r.checks, "check", nil, "health check; may be given several times")
	f.DurationVar(&r.how.Interval, "interval", discovery.DefaultInterval, "time between checks; until the instance is registered first at most 1s")
	f.DurationVar(&r.how.Timeout, "timeout", discovery.DefaultTimeout, "time for one check")
	f.IntVar(&r.how.Fall, "fall", discovery.DefaultFall, "checks in a row that must fail")
	f.IntVar(&r.how.Rise, "rise", discovery.DefaultRise, "checks in a row that must pass")
	f.DurationVar(&r.grace, "grace", 5*time.Second, "from SIGTERM to SIGKILL for the command, when quoll is to end")
	f.DurationVar(&r.drain, "drain", 0, "when interrupted, drain for this long before leaving")
	return cmd
}

func (r *registering) run(cmd *cobra.Command) error {
	if r.in.Address == "" && r.in.Port == 0 && r.in.SSLPort == 0 {
		return wrongArguments(cmd, errors.New("where is the instance? --port, --ssl-port, or --address alone if it has no port"))
	}
	if r.layout.name == "curator" && strings.Contains(r.in.Service, "/") {
		return fmt.Errorf("%q is not the name of a service: it contains a slash; --base is the node that holds the services", r.in.Service)
	}
	opts, err := r.options()
	if err != nil {
		return err
	}
	return r.dial.Patient(true).With(cmd, func(ctx context.Context, c *client.Client) error {
		if r.in.Address == "" {
			if r.in.Address, err = ownAddress(ctx, c.Server()); err != nil {
				return err
			}
			if ip := net.ParseIP(r.in.Address); ip != nil && ip.IsLoopback() {
				note(cmd, "%s is found by this host alone; --address says where others find the instance", ip)
			}
		}
		d, err := r.layout.discovery(c, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		reg, err := d.Register(ctx, r.in, opts...)
		if err != nil {
			return err
		}
		return r.whileRegistered(ctx, cmd, reg)
	})
}

// options are the checks, and the metadata.
func (r *registering) options() ([]discovery.RegisterOption, error) {
	var err error
	if r.in.Metadata, err = pairs(r.meta); err != nil {
		return nil, err
	}
	var opts []discovery.RegisterOption
	for _, text := range r.checks {
		check, err := parseCheck(text)
		if err != nil {
			return nil, err
		}
		how := r.how
		how.Name = text
		opts = append(opts, discovery.WithCheck(check, how))
	}
	return opts, nil
}

// checking fails if it is not said well how to check.
func (r *registering) checking(cmd *cobra.Command) error {
	if len(r.checks) == 0 {
		return idle(cmd, "--check", "interval", "timeout", "fall", "rise")
	}
	for name, n := range map[string]int64{"interval": int64(r.how.Interval), "timeout": int64(r.how.Timeout), "fall": int64(r.how.Fall), "rise": int64(r.how.Rise)} {
		if n < 1 {
			return cli.Misuse(fmt.Errorf("--%s wants more than %s", name, cmd.Flag(name).Value))
		}
	}
	return nil
}

func parseCheck(text string) (discovery.Check, error) {
	if script, ok := strings.CutPrefix(text, "script:"); ok && script != "" {
		return scriptCheck(script), nil
	}
	if beat, ok := strings.CutPrefix(text, "ttl:"); ok {
		return parseHeartbeat(beat)
	}
	u, err := url.Parse(text)
	if err == nil && u.Host != "" {
		web := u.Scheme == "http" || u.Scheme == "https"
		if port, err := strconv.ParseUint(u.Port(), 10, 16); (err != nil || port == 0) && (!web || u.Port() != "") {
			return nil, cli.Misuse(fmt.Errorf("--check wants %s://HOST:PORT, with a port from 1 to 65535, not %q", u.Scheme, text))
		}
		switch u.Scheme {
		case "http", "https":
			return discovery.HTTPCheck(nil, text), nil
		case "tcp":
			return discovery.TCPCheck(u.Host), nil
		case "grpc":
			return discovery.GRPCCheck(u.Host, strings.TrimPrefix(u.Path, "/")), nil
		case "grpcs":
			return discovery.GRPCTLSCheck(nil, u.Host, strings.TrimPrefix(u.Path, "/")), nil
		}
	}
	return nil, cli.Misuse(fmt.Errorf("--check wants http://, https://, tcp://, grpc://, grpcs://, script: or ttl:, not %q", text))
}

// scriptCheck passes if a command of the shell exits with 0.
func scriptCheck(script string) discovery.Check {
	return discovery.OutputCheck(func(ctx context.Context, out io.Writer) error {
		return supervise.Shell(ctx, script, nil, out)
	})
}

// parseHeartbeat reads TIME:FILE. The check passes while the file was changed
// within the time.
func parseHeartbeat(text string) (discovery.Check, error) {
	word, file, _ := strings.Cut(text, ":")
	ttl, err := time.ParseDuration(word)
	if err != nil || ttl <= 0 || file == "" {
		return nil, cli.Misuse(fmt.Errorf("--check wants ttl:TIME:FILE, as ttl:30s:/run/app.alive, not %q", "ttl:"+text))
	}
	return func(context.Context) error {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		if silent := time.Since(info.ModTime()); silent > ttl {
			return fmt.Errorf("%s was not touched for %v", file, silent.Round(time.Millisecond))
		}
		return nil
	}, nil
}

// ownAddress is the address from which a server is reached.
func ownAddress(ctx context.Context, server string) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "udp", server) // sends nothing
	if err != nil {
		return "", fmt.Errorf("which address is this host's? Use --address: %w", err)
	}
	defer conn.Close()
	host, _, err := net.SplitHostPort(conn.LocalAddr().String())
	return host, err
}

// whileRegistered runs the command, if there is one, and prints what becomes of
// the registration, until the command has ended, or ctx, or the registration. The
// command is told to end when nobody is to find it any more. Its exit code counts
// also then, unless the registration has failed.
func (r *registering) whileRegistered(ctx context.Context, cmd *cobra.Command, reg *discovery.Registration) error {
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	following, stop := context.WithCancel(ctx)
	defer stop()
	var running sync.WaitGroup
	var err error // of the command; to be read when it has ended
	if len(r.command) > 0 {
		running.Go(func() {
			defer stop()
			j := job{args: r.command, stdin: cmd.InOrStdin(), grace: r.grace}
			err = j.run(serving, cmd)
		})
	}
	why := errors.Join(r.follow(following, cmd.OutOrStdout(), reg), r.leave(ctx, reg))
	cancel()
	running.Wait()
	if why != nil {
		return why
	}
	return unlessInterrupted(ctx, err) // before the command began
}

// leave ends the registration, which may be over already. When ctx has ended it
// drains before: otherwise nothing is there any more that serves.
func (r *registering) leave(ctx context.Context, reg *discovery.Registration) error {
	if status, _ := reg.Status(); ctx.Err() != nil && status == discovery.Serving && r.drain > 0 && reg.Drain() == nil {
		time.Sleep(r.drain)
	}
	in, done := leaving(ctx)
	defer done()
	return reg.Close(in)
}

// follow prints what becomes of the registration until ctx ends, or until the
// registration does: that is an error.
func (r *registering) follow(ctx context.Context, out io.Writer, reg *discovery.Registration) error {
	for {
		changed := reg.Changed()
		status, why := reg.Status()
		r.print(out, reg.Instance(), status, why)
		if status == discovery.Gone {
			return why
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

func (r *registering) print(w io.Writer, in discovery.Instance, status discovery.Status, why error) {
	reason := ""
	if why != nil {
		reason = why.Error()
	}
	if r.dial.JSON() {
		printJSON(w, map[string]string{"service": in.Service, "id": in.ID, "address": where(in), "status": status.String(), "reason": reason})
		return
	}
	fmt.Fprintf(w, "%s %s at %s: %s", in.Service, in.ID, where(in), status)
	if reason != "" {
		fmt.Fprintf(w, " (%s)", reason)
	}
	fmt.Fprintln(w)
}

// pairs reads key=value, each key once.
func pairs(list []string) (map[string]string, error) {
	if len(list) == 0 {
		return nil, nil
	}
	all := make(map[string]string, len(list))
	for _, text := range list {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("%s is not of the form key=value", strconv.Quote(text))
		}
		if _, twice := all[key]; twice {
			return nil, fmt.Errorf("%s is given twice", strconv.Quote(key))
		}
		all[key] = value
	}
	return all, nil
}
