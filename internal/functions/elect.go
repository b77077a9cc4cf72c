package functions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/cli"
	"github.com/quollhq/quoll/recipe/election"
)

// electing is a call of quoll elect.
type electing struct {
	dial  *cli.Dialer
	id    string
	once  bool
	grace time.Duration
}

func newElect() *cobra.Command {
	e := &electing{}
	cmd := &cobra.Command{
		Use:   "elect [flags] NAME [-- COMMAND [ARGUMENT...]]",
		Short: "Run a command while leading, or tell who leads",
		Long: `With a command: take part in an election and run the command while leading. It
finds QUOLL_LEADER_PATH and QUOLL_LEADER_TOKEN in its environment. When leadership
may be lost it gets SIGTERM, and SIGKILL after the grace; so does, on Linux, all
that it has started. When it ends, another one leads, and the exit code is the
command's.
` + killedHelp + `

Without a command: print who leads, and each change: token and id, or a hyphen
for nobody. With --once the exit code is 75 when nobody leads.

NAME is a node, or a name below /elections. Apache Curator's LeaderLatch takes
part in the same elections.`,
		Example: `  quoll elect scheduler --id node-7 -- ./scheduler
  quoll elect scheduler
  quoll elect --once scheduler`,
		RunE: func(cmd *cobra.Command, args []string) error {
			own, command, err := commandAfter(cmd, args, 1, false)
			if err != nil {
				return err
			}
			switch {
			case len(command) == 0:
				err = idle(cmd, "a command", "id", "grace")
			case e.once:
				err = wrongArguments(cmd, errors.New("--once tells who leads, and runs no command"))
			}
			if err := errors.Join(err, notNegative(cmd, "grace")); err != nil {
				return err
			}
			return e.dial.Patient(!e.once).With(cmd, func(ctx context.Context, c *client.Client) error {
				return e.run(ctx, cmd, c, pathOf("/elections", own[0]), command)
			})
		},
	}
	e.dial = cli.NewDialer(cmd)
	e.dial.AddOutput(cmd)
	f := cmd.Flags()
	f.StringVar(&e.id, "id", "", "what others see; the default is the name of the host")
	f.BoolVar(&e.once, "once", false, "tell who leads at present, and end")
	f.DurationVar(&e.grace, "grace", 2*time.Second, "from SIGTERM to SIGKILL, when leadership may be lost or quoll is to end")
	return cmd
}

func (e *electing) run(ctx context.Context, cmd *cobra.Command, c *client.Client, path string, command []string) error {
	var opts []election.Option
	if e.id != "" {
		opts = append(opts, election.WithID(e.id))
	}
	el, err := election.New(c, path, opts...)
	if err != nil {
		return err
	}
	if len(command) == 0 {
		return e.observe(ctx, cmd, el)
	}
	term, err := el.Campaign(ctx)
	if err != nil {
		return err
	}
	return holding(ctx, term.Held, func(ctx context.Context) error {
		j := job{args: command, env: environment("LEADER", term.Held), stdin: cmd.InOrStdin(), grace: e.grace}
		return j.run(ctx, cmd)
	})
}

func (e *electing) observe(ctx context.Context, cmd *cobra.Command, el *election.Election) error {
	for leader, err := range el.Observe(ctx) {
		if err != nil {
			return unlessInterrupted(ctx, err)
		}
		e.print(cmd.OutOrStdout(), leader)
		switch {
		case e.once && leader.Path == "":
			return &cli.ExitError{Code: exitNotYet}
		case e.once:
			return nil
		}
	}
	return nil
}

// leaderDoc is a leader in JSON; nobody, if it is empty.
type leaderDoc struct {
	ID    string `json:"id,omitempty"`
	Token int64  `json:"token,omitempty,string"` // a zxid
	Path  string `json:"path,omitempty"`
}

func (e *electing) print(out io.Writer, leader election.Leader) {
	switch {
	case e.dial.JSON():
		printJSON(out, map[string]leaderDoc{"leader": {leader.ID, leader.Token, leader.Path}})
	case leader.Path == "":
		fmt.Fprintln(out, "-")
	default:
		fmt.Fprintln(out, leader.Token, leader.ID)
	}
}
