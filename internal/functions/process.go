package functions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/internal/cli"
)

// job is a command that is run while something is held.
type job struct {
	args  []string
	env   []string
	stdin io.Reader
	grace time.Duration // from SIGTERM to SIGKILL
}

// run runs the command until it ends. When ctx ends before, it gets SIGTERM, and
// SIGKILL if it does not end in time. Its failure is a [cli.ExitError] with the code
// that a shell would give.
func (j *job) run(ctx context.Context, parent *cobra.Command) error {
	cmd := exec.CommandContext(ctx, j.args[0], j.args[1:]...)
	cmd.Env = append(os.Environ(), j.env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = j.stdin, parent.OutOrStdout(), parent.ErrOrStderr()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = j.grace
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return &cli.ExitError{Code: code(exit.ProcessState)}
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist):
		return j.cannot(parent, err, exitNotFound)
	case cmd.ProcessState == nil:
		return j.cannot(parent, err, exitCannotRun)
	case ctx.Err() != nil && cmd.ProcessState.Success():
		return nil // it ended well when it was told to
	}
	return err
}

func (j *job) cannot(parent *cobra.Command, err error, code int) error {
	fmt.Fprintf(parent.ErrOrStderr(), "quoll: %v\n", err)
	return &cli.ExitError{Code: code}
}

func code(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exitSignalled + int(status.Signal())
	}
	return state.ExitCode()
}

// commandAfter takes the words after "--", of which there must be some if need
// be, and as many before it as wanted.
func commandAfter(cmd *cobra.Command, args []string, before int, needed bool) (own, command []string, err error) {
	own = args
	if dash := cmd.ArgsLenAtDash(); dash >= 0 {
		own, command = args[:dash], args[dash:]
	}
	if len(own) != before || needed && len(command) == 0 {
		return nil, nil, fmt.Errorf("wrong arguments\nUsage: %s", cmd.UseLine())
	}
	return own, command, nil
}
