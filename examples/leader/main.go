// Command leader is a service of which one instance is active: the leader. Start
// it several times, kill the leader, and see another take over.
//
//	go run ./examples/leader -server localhost:2181 -id one
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/recipe/election"
)

func main() {
	servers := flag.String("server", "localhost:2181", "host:port[,host:port...][/chroot]")
	id := flag.String("id", "", "what others see; default: the host's name")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *servers, *id, os.Stdout); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run takes part until ctx ends.
func run(ctx context.Context, servers, id string, out io.Writer) (err error) {
	// A service that may start before its servers waits for them: by client.Dial(ctx, ...).
	c, err := client.Dial(client.FailFast(ctx), servers, client.WithSessionTimeout(6*time.Second), client.WithLogger(slog.Default()))
	if errors.Is(err, client.ErrConnectionLoss) {
		return fmt.Errorf("no server is reached at %s: start one (go run ./cmd/quoll server), or name another by -server: %w", servers, err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	var opts []election.Option
	if id != "" {
		opts = append(opts, election.WithID(id))
	}
	e, err := election.New(c, "/examples/leader", opts...)
	if err != nil {
		return err
	}
	return e.Run(ctx, func(ctx context.Context, term *election.Term) error { return lead(ctx, term, c, out) })
}

// lead does the leader's work: it writes down once a second that it is alive. A
// leader that was replaced without knowing cannot write: the server checks.
func lead(ctx context.Context, term *election.Term, c *client.Client, out io.Writer) error {
	if err := c.EnsurePath(ctx, "/examples/alive", client.Persistent); err != nil {
		return err
	}
	fmt.Fprintln(out, "leading")
	defer fmt.Fprintln(out, "leading no more")
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if _, err := term.Multi(ctx, client.SetOp("/examples/alive", []byte(term.Path()), client.AnyVersion)); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
