package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/logline"
)

// Dialer connects for the commands beside `quoll cli`, as their flags say.
type Dialer struct {
	o       invocation
	auth    []string
	output  string
	session time.Duration
	connect time.Duration
	verbose bool
	patient bool
}

// NewDialer adds the flags of a connection to a command and those below it.
func NewDialer(cmd *cobra.Command) *Dialer {
	d := &Dialer{output: "text"}
	f := cmd.PersistentFlags()
	addServers(f, &d.o, "host:port[,host:port...][/chroot]")
	f.StringArrayVar(&d.auth, "auth", nil, "scheme:auth, as digest:bob:password; may be given several times")
	f.StringVar(&d.o.properties, "client-configuration", "", "file of properties for TLS and SASL, as for Apache's client")
	f.DurationVar(&d.session, "session-timeout", 10*time.Second, "silence after which the servers let the session expire")
	f.DurationVar(&d.connect, "connect-timeout", 0, "go on trying for so long when no server is reached, 0 for ever (default: what ends by itself tries each once, what stays goes on)")
	f.BoolVarP(&d.verbose, "verbose", "v", false, "tell of connections on standard error")
	return d
}

// AddOutput adds the flag that says how results are printed.
func (d *Dialer) AddOutput(cmd *cobra.Command) {
	cmd.PersistentFlags().StringVarP(&d.output, "output", "o", d.output, "text or json")
}

// JSON tells whether results are to be printed as JSON.
func (d *Dialer) JSON() bool { return d.output == "json" }

// Patient makes With wait for a server, and say so, or not. It is for commands that
// stay until they are interrupted: they may be started before the servers.
func (d *Dialer) Patient(yes bool) *Dialer {
	d.patient = yes
	return d
}

// With connects, calls do and closes the session. When cmd's context ends, so
// does that of do.
func (d *Dialer) With(cmd *cobra.Command, do func(ctx context.Context, c *client.Client) error) error {
	c, err := d.dial(cmd)
	if err != nil {
		return err
	}
	err = do(cmd.Context(), c)
	if cmd.Context().Err() != nil && errors.Is(err, context.Canceled) {
		err = fmt.Errorf("interrupted: %w", err)
	}
	return errors.Join(err, c.Close())
}

// dial connects. What there is to tell goes to errs.
func (d *Dialer) dial(cmd *cobra.Command) (*client.Client, error) {
	c, err := d.config(cmd.ErrOrStderr())
	if err != nil {
		return nil, err
	}
	cl, err := d.reach(cmd, c)
	if err != nil {
		return nil, err
	}
	if err := belowRoot(cmd.Context(), cl, c.servers); err != nil {
		return nil, errors.Join(err, cl.Close())
	}
	return cl, nil
}

// electionTime bounds how long a command waits that does not stay, for servers that
// run and let no client in: an election takes less.
const electionTime = 5 * time.Second

// reach tries each server once. When that is in vain, and to go on makes sense or was
// asked for by --connect-timeout, it says so and does; for a while it does also if
// there are servers that only hang up, as they do until they have elected a leader.
func (d *Dialer) reach(cmd *cobra.Command, c connectConfig) (*client.Client, error) {
	ctx := cmd.Context()
	limited := cmd.Flags().Changed("connect-timeout")
	if limited && d.connect > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.connect)
		defer cancel()
	}
	cl, err := client.Dial(client.FailFast(ctx), c.servers, c.options...)
	switch {
	case !errors.Is(err, client.ErrConnectionLoss):
	case limited || d.patient:
		fmt.Fprintf(cmd.ErrOrStderr(), "quoll: no server is reached so far; trying on\n%s\n", whyLost(err))
		cl, err = client.Dial(ctx, c.servers, c.options...)
	case hangsUp(err):
		if later, failed := elected(ctx, c); failed == nil {
			cl, err = later, nil
		}
	}
	switch {
	case err == nil:
		return cl, nil
	case cmd.Context().Err() != nil:
		return nil, fmt.Errorf("interrupted: %w", err)
	}
	if why := whyLost(err); why != "" && errors.Is(err, client.ErrConnectionLoss) {
		return nil, &unreached{lines("no server is reached: "+why, advice(err)), err}
	}
	if do := advice(err); do != "" {
		err = fmt.Errorf("%w\n%s", err, do)
	}
	return nil, err
}

// elected connects when there is a leader, if there is one soon.
func elected(ctx context.Context, c connectConfig) (*client.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, electionTime)
	defer cancel()
	return client.Dial(ctx, c.servers, c.options...)
}

// unreached is an error with what the attempts have failed with and what can be done.
type unreached struct {
	text  string
	cause error
}

func (u *unreached) Error() string { return u.text }
func (u *unreached) Unwrap() error { return u.cause }

// rooted is where it can be looked whether there is a node to stay below.
type rooted interface {
	Exists(ctx context.Context, path string) (client.Stat, bool, error)
	Sync(ctx context.Context, path string) error
}

// belowRoot fails if there is no node to stay below, where the list of servers has
// one: nothing could be made there, and all would seem to be empty. A server may
// not have heard of it so far, and is asked to catch up. A connection that is lost
// meanwhile is the command's to deal with.
func belowRoot(ctx context.Context, cl rooted, servers string) error {
	_, root, given := strings.Cut(servers, "/")
	if !given || root == "" {
		return nil
	}
	_, found, err := cl.Exists(ctx, "/")
	if err == nil && !found {
		if err = cl.Sync(ctx, "/"); err == nil {
			_, found, err = cl.Exists(ctx, "/")
		}
	}
	if err == nil && !found {
		return fmt.Errorf("%s: there is no node /%s to stay below", servers, root)
	}
	return nil
}

// config is how to connect, as the flags and the properties say.
func (d *Dialer) config(errs io.Writer) (connectConfig, error) {
	if d.output != "text" && d.output != "json" {
		return connectConfig{}, Misuse(fmt.Errorf("--output wants text or json, not %q", d.output))
	}
	if d.session < time.Millisecond {
		return connectConfig{}, Misuse(fmt.Errorf("--session-timeout wants at least a millisecond, not %v", d.session))
	}
	d.o.auth = nil
	for _, value := range d.auth {
		if err := d.o.set("auth", value, "--auth"); err != nil {
			return connectConfig{}, err
		}
	}
	c, err := d.o.connectConfig(&printer{out: io.Discard, err: errs})
	if err != nil {
		return c, err
	}
	level := slog.LevelWarn
	if d.verbose {
		level = slog.LevelDebug
	}
	log := logline.New(errs, level)
	c.options = append(c.options, client.WithSessionTimeout(d.session), client.WithLogger(log))
	return c, nil
}
