// Package functions makes the coordination functions commands of the shell:
// quoll lock, elect, queue and count.
package functions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/client"
)

// Exit codes beside that of the command that was run.
const (
	exitNotYet      = 75  // EX_TEMPFAIL: what was asked for is another's, or not there
	exitCannotRun   = 126 // as a shell has it
	exitNotFound    = 127
	exitSignalled   = 128 // plus the signal
	closeWithin     = 5 * time.Second
	defaultServers  = "localhost:2181"
	serversVariable = "QUOLL_SERVER"
)

// ExitError is the exit code of the process, when nothing is left to be said.
type ExitError struct{ Code int }

// Error says the exit code.
func (e *ExitError) Error() string { return fmt.Sprintf("exit status %d", e.Code) }

// ExitCode is the exit code of the process.
func (e *ExitError) ExitCode() int { return e.Code }

// Quiet marks errors that need no message.
func (e *ExitError) Quiet() bool { return true }

// Commands makes the commands.
func Commands() []*cobra.Command {
	return []*cobra.Command{newLock(), newElect(), newQueue(), newCount()}
}

// connection is the flags that say where the servers are.
type connection struct {
	servers string
	session time.Duration
	connect time.Duration
	auth    []string
	verbose bool
}

func (o *connection) addTo(cmd *cobra.Command) {
	servers := os.Getenv(serversVariable)
	if servers == "" {
		servers = defaultServers
	}
	f := cmd.PersistentFlags()
	f.StringVar(&o.servers, "server", servers, "host:port[,host:port...][/chroot]; the default is "+serversVariable)
	f.DurationVar(&o.session, "session-timeout", 10*time.Second, "silence after which the servers give up a holder")
	f.DurationVar(&o.connect, "connect-timeout", 10*time.Second, "how long to wait for a server; 0 for ever")
	f.StringArrayVar(&o.auth, "auth", nil, "authenticate by scheme:auth, as digest:user:password")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "tell of connections on standard error")
}

// dial connects. Closing the client is the caller's.
func (o *connection) dial(ctx context.Context) (*client.Client, error) {
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelDebug
	}
	opts := []client.Option{
		client.WithSessionTimeout(o.session),
		client.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))),
	}
	for _, a := range o.auth {
		scheme, auth, ok := strings.Cut(a, ":")
		if !ok {
			return nil, fmt.Errorf("--auth %q has no scheme", a)
		}
		opts = append(opts, client.WithAuth(scheme, []byte(auth)))
	}
	if o.connect > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.connect)
		defer cancel()
	}
	return client.Dial(ctx, o.servers, opts...)
}

// with connects, calls body and closes the session.
func (o *connection) with(cmd *cobra.Command, body func(ctx context.Context, c *client.Client) error) error {
	c, err := o.dial(cmd.Context())
	if err != nil {
		return err
	}
	return errors.Join(body(cmd.Context(), c), c.Close())
}

// pathOf is the node of a name: itself if it is a path, else one below parent.
func pathOf(parent, name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	return parent + "/" + name
}

// interrupted tells whether an error is only that the user has ended the command.
func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.Canceled)
}
