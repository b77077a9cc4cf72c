// Command workers takes jobs from a queue, many programs at a time, counts what
// is done, and waits for more. Jobs come by
//
//	quoll queue put /examples/jobs "job 1"
//	go run ./examples/workers -server localhost:2181
//	quoll count /examples/done --watch
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

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/recipe/counter"
	"github.com/quollhq/quoll/recipe/group"
	"github.com/quollhq/quoll/recipe/queue"
)

func main() {
	servers := flag.String("server", "localhost:2181", "host:port[,host:port...][/chroot]")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	host, _ := os.Hostname() // without one, the number must do
	if err := run(ctx, *servers, fmt.Sprintf("%s-%d", host, os.Getpid()), os.Stdout); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run works until ctx ends. Others see it among the workers meanwhile.
func run(ctx context.Context, servers, id string, out io.Writer) (err error) {
	// A service that may start before its servers waits for them: by client.Dial(ctx, ...).
	c, err := client.Dial(client.FailFast(ctx), servers, client.WithLogger(slog.Default()))
	if errors.Is(err, client.ErrConnectionLoss) {
		return fmt.Errorf("no server is reached at %s: start one (go run ./cmd/quoll server), or name another by -server: %w", servers, err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }() // the membership goes with the session
	workers, err := group.New(c, "/examples/workers")
	if err != nil {
		return err
	}
	if _, err := workers.Join(ctx, id, nil); err != nil {
		return err
	}
	jobs, err := queue.New(c, "/examples/jobs", queue.WithDeadLetters("/examples/jobs-dead", 3))
	if err != nil {
		return err
	}
	done, err := counter.New(c, "/examples/done")
	if err != nil {
		return err
	}
	for {
		d, err := jobs.Receive(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s, attempt %d\n", d.Bodies[0], d.Attempt)
		// Should the program die here, another one gets the job.
		if err := d.Ack(context.WithoutCancel(ctx)); err != nil {
			return err
		}
		if _, err := done.Add(ctx, 1); err != nil {
			return err
		}
	}
}
