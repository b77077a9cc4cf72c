package functions

import (
	"context"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/configcenter"
)

func (c *configuring) watch() *cobra.Command {
	var flags appFlags
	cmd := &cobra.Command{
		Use: "watch APP", Short: "Print what a program sees, and each change of it", Args: cobra.ExactArgs(1),
		Long: `Print what a program sees, and each change of it: + added, ~ changed, - removed.
Of what cannot be used nothing is printed but the reason, on standard error; what
was there before stands. As JSON, each line has all that it sees, and with "refused"
and "stale" whether that is not what is published, and whether no server is reached.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := c.keys()
			if err != nil {
				return err
			}
			c.dial.Patient(true)
			return c.dial.With(cmd, func(ctx context.Context, cl *client.Client) error {
				app, err := flags.named(args[0])
				if err != nil {
					return err
				}
				return unlessInterrupted(ctx, c.follow(ctx, cmd, c.follower(cl, cmd.ErrOrStderr()), app, keys))
			})
		},
	}
	flags.add(cmd)
	c.addRaw(cmd)
	return cmd
}

// follower is the configuration centre of who follows it, and tells of what is refused.
func (c *configuring) follower(cl *client.Client, errs io.Writer) *configcenter.Center {
	log := slog.New(warningsOnly{warnings(errs).Handler()})
	return configcenter.New(cl, configcenter.WithRoot(c.root), configcenter.WithLogger(log))
}

// warningsOnly leaves out errors: that a configuration is refused, which the command
// says itself.
type warningsOnly struct{ slog.Handler }

func (h warningsOnly) Enabled(ctx context.Context, level slog.Level) bool {
	return level < slog.LevelError && h.Handler.Enabled(ctx, level)
}

// following prints what a program sees.
type following struct {
	c    *configuring
	cmd  *cobra.Command
	app  string
	last configcenter.Update[map[string]string]
}

// follow prints what a program sees, and each change, until ctx ends.
func (c *configuring) follow(ctx context.Context, cmd *cobra.Command, center *configcenter.Center, app configcenter.App, keys *configcenter.Keyring) error {
	live, err := configcenter.Open(ctx, center, app, configcenter.Options[map[string]string]{Keys: keys, Sealed: c.raw})
	if err != nil {
		return c.sealed(err)
	}
	defer live.Close()
	if v := live.View(); len(v.Properties) == 0 {
		note(cmd, "%v; waiting for some", c.nothing(ctx, center, app.Name, v.Revisions, app.Contexts()...))
	}
	f := following{c: c, cmd: cmd, app: app.Name}
	for now, err := range live.Updates(ctx) {
		if err != nil {
			return err
		}
		f.print(now)
	}
	return nil
}

// print prints in what an update differs from the one before.
func (f *following) print(now configcenter.Update[map[string]string]) {
	last := f.last
	f.last = now
	switch {
	case now.Err != nil && now.Err != last.Err:
		note(f.cmd, "refused, what was there before stands: %v", f.c.sealed(now.Err))
	case now.Err == nil && last.Err != nil:
		note(f.cmd, "what is published for %q is in use again", f.app)
	}
	out := f.cmd.OutOrStdout()
	switch {
	case f.c.dial.JSON():
		printJSON(out, newUpdateDoc(f.app, now))
	case now.Config == last.Config:
	case last.Config == nil:
		f.c.printDiff(out, configcenter.Diff(nil, *now.Config))
	default:
		f.c.printDiff(out, configcenter.Diff(*last.Config, *now.Config))
	}
}

// updateDoc is an update in JSON.
type updateDoc struct {
	App        string            `json:"app"`
	Properties map[string]string `json:"properties"`
	Revisions  map[string]int64  `json:"revisions"`
	Refused    string            `json:"refused,omitempty"` // why what is published is not in use
	Stale      bool              `json:"stale,omitempty"`   // no server is reached
}

func newUpdateDoc(app string, u configcenter.Update[map[string]string]) updateDoc {
	doc := updateDoc{App: app, Properties: *u.Config, Revisions: u.View.Revisions, Stale: u.View.Stale}
	if u.Err != nil {
		doc.Refused = u.Err.Error()
	}
	return doc
}
