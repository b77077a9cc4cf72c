// Command quoll is the coordination service: its server and the tools to work
// with it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/internal/bench"
	"github.com/quollhq/quoll/internal/cli"
	"github.com/quollhq/quoll/internal/datatool"
	"github.com/quollhq/quoll/internal/functions"
	"github.com/quollhq/quoll/internal/operate"
	"github.com/quollhq/quoll/internal/supervise"
)

func main() {
	supervise.Guard()
	calm := resumeThreads()
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	defer stop()
	if err := newRoot(calm).ExecuteContext(ctx); err != nil {
		os.Exit(report(err))
	}
}

// endings are the signals that end a command in good order: a terminal that is
// closed, too, unless somebody (nohup) wants it to be of no account.
func endings() []os.Signal {
	all := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		all = append(all, syscall.SIGHUP)
	}
	return all
}

// report prints an error, unless that was done where it arose, and gives the
// code to exit with.
func report(err error) int {
	var said interface {
		Quiet() bool
		ExitCode() int
	}
	if errors.As(err, &said) {
		return said.ExitCode()
	}
	fmt.Fprintln(os.Stderr, "quoll: "+err.Error())
	if wrongUsage(err) {
		return exitUsage
	}
	return exitFailure
}

// newRoot is for a process whose runtime's monitor is calm already, or not.
func newRoot(calm bool) *cobra.Command {
	root := &cobra.Command{
		Use:   "quoll",
		Short: "A coordination service that speaks ZooKeeper",
		Long: `quoll is a coordination service. It speaks the protocols and disk formats of
Apache ZooKeeper, so that existing clients and data work unchanged.`,
		Example: `  quoll server                     serve with data in ./quoll-data on port 2181
  quoll server zoo.cfg             serve as a ZooKeeper configuration says
  quoll cli ls /                   look at the root
  quoll lock backup -- ./backup    run a command while holding a lock
  quoll bench get set              measure
  quoll data verify quoll-data     check logs and snapshots`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newServer(calm), newVersion(), operate.NewHandOver(), bench.NewCommand(), cli.NewCommand(), cli.NewFourLetterWord(), datatool.NewCommand())
	root.AddCommand(functions.Commands()...)
	markFailures(root)
	return root
}
