package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/client"
)

// Dialer connects for the commands beside `quoll cli`, as their flags say.
type Dialer struct {
	o       invocation
	auth    []string
	output  string
	session time.Duration
	connect time.Duration
}

// NewDialer adds the flags of a connection to a command and those below it.
func NewDialer(cmd *cobra.Command) *Dialer {
	d := &Dialer{}
	f := cmd.PersistentFlags()
	f.StringVar(&d.o.servers, "server", cmp.Or(os.Getenv(serversVariable), defaultServers), "host:port[,host:port...][/chroot]; "+serversVariable+" of the environment sets it, too")
	f.StringArrayVar(&d.auth, "auth", nil, "scheme:auth, as digest:bob:password; may be given several times")
	f.StringVar(&d.o.properties, "client-configuration", "", "file of properties for TLS and SASL, as for Apache's client")
	f.DurationVar(&d.session, "session-timeout", 10*time.Second, "silence after which the servers let the session expire")
	f.DurationVar(&d.connect, "connect-timeout", 10*time.Second, "how long to wait for a server; 0 for ever")
	f.StringVarP(&d.output, "output", "o", "text", "text or json")
	return d
}

// JSON tells whether results are to be printed as JSON.
func (d *Dialer) JSON() bool { return d.output == "json" }

// Dial connects. Warnings go to errs.
func (d *Dialer) Dial(ctx context.Context, errs io.Writer) (*client.Client, error) {
	if d.o.auth = nil; d.output != "text" && d.output != "json" {
		return nil, fmt.Errorf("--output wants text or json, not %q", d.output)
	}
	for _, value := range d.auth {
		if err := d.o.set("auth", value, "--auth"); err != nil {
			return nil, err
		}
	}
	c, err := d.o.connectConfig(&printer{out: io.Discard, err: errs})
	if err != nil {
		return nil, err
	}
	cl, err := client.New(c.servers, append(c.options, client.WithSessionTimeout(d.session))...)
	if err != nil {
		return nil, err
	}
	waiting, cancel := ctx, context.CancelFunc(func() {})
	if d.connect > 0 {
		waiting, cancel = context.WithTimeout(ctx, d.connect)
	}
	defer cancel()
	if err := cl.WaitConnected(waiting); err != nil {
		_ = cl.Close() // there is no session to close
		return nil, fmt.Errorf("connecting to %s: %w", c.servers, err)
	}
	return cl, nil
}
