package functions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/internal/cli"
	"github.com/quollhq/quoll/internal/supervise"
)

// job is a command that is run while something is held.
type job struct {
	args  []string
	env   []string
	stdin io.Reader
	grace time.Duration // from SIGTERM to SIGKILL
}

// run runs the command until it ends, as [supervise.Command] does: it does not
// outlive this process. Its failure is a [cli.ExitError] with the code that a
// shell would give.
func (j *job) run(ctx context.Context, parent *cobra.Command) error {
	c := supervise.Command{
		Args: j.args, Env: j.env, Stdin: j.stdin, Stdout: parent.OutOrStdout(), Stderr: parent.ErrOrStderr(), Grace: j.grace,
	}
	code, err := c.Run(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("%s does not run: %w", j.args[0], err)
	case code != 0:
		return &cli.ExitError{Code: code}
	}
	return nil
}

// killedHelp is what the help of each command says that runs another.
const killedHelp = `If quoll is killed (kill -9), the command is killed, too: on Linux with all that it
has started, elsewhere alone.`

// commandAfter takes the words after "--", of which there must be some if need
// be, and as many before it as wanted. There must be such a command: what is
// found out here need not be waited for.
func commandAfter(cmd *cobra.Command, args []string, before int, needed bool) (own, command []string, err error) {
	own = args
	if dash := cmd.ArgsLenAtDash(); dash >= 0 {
		own, command = args[:dash], args[dash:]
	}
	if cmd.ArgsLenAtDash() < 0 && len(args) > before {
		return nil, nil, wrongArguments(cmd, errors.New("-- is missing before the command"))
	}
	if len(own) != before || needed && len(command) == 0 {
		return nil, nil, wrongArguments(cmd, nil)
	}
	if len(command) > 0 {
		if _, code := supervise.Find(command[0], cmd.ErrOrStderr()); code != 0 {
			return nil, nil, &cli.ExitError{Code: code}
		}
	}
	return own, command, nil
}
