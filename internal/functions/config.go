package functions

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/configcenter"
	"github.com/quollhq/quoll/internal/cli"
)

// configuring is what the flags of `quoll config` say.
type configuring struct {
	dial    *cli.Dialer
	root    string
	keyring string
	raw     bool
}

// newConfig makes `quoll config`.
func newConfig() *cobra.Command {
	c := &configuring{}
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Publish, read and follow configuration",
		Long: `Publish, read and follow configuration, in the layout of Spring Cloud Zookeeper.

A CONTEXT is "application" (all applications), NAME, or either with a profile:
NAME,PROFILE. What is set in one command changes at once, as a revision. To read a
context that has no properties is an error, which says why it has none.`,
		Example: `  quoll config set orders pool.size=8 pool.timeout=2s --reason "more load"
  quoll config get orders
  quoll config history orders
  quoll config rollback orders 3
  quoll config canary start orders bigger --percent 10 pool.size=16
  quoll config watch orders --profile prod`,
	}
	c.dial = cli.NewDialer(cmd)
	c.dial.AddOutput(cmd)
	f := cmd.PersistentFlags()
	f.StringVar(&c.root, "root", configcenter.DefaultRoot, "node that holds the contexts")
	f.StringVar(&c.keyring, "keyring", "", "file of keys for encrypted values")
	cmd.AddCommand(c.get(), c.resolve(), c.watch(), c.list(), c.set(), c.delete(), c.rollback(), c.history(), c.diff(), c.drift(),
		c.canary(), c.who(), newKeygen(), c.encrypt())
	return cmd
}

// with connects and calls do.
func (c *configuring) with(cmd *cobra.Command, do func(ctx context.Context, center *configcenter.Center, out io.Writer) error) error {
	return c.dial.With(cmd, func(ctx context.Context, cl *client.Client) error {
		return do(ctx, c.center(cl, cmd.ErrOrStderr()), cmd.OutOrStdout())
	})
}

// center is the configuration centre. Warnings go to errs.
func (c *configuring) center(cl *client.Client, errs io.Writer) *configcenter.Center {
	return configcenter.New(cl, configcenter.WithRoot(c.root), configcenter.WithLogger(warnings(errs)))
}

func (c *configuring) get() *cobra.Command {
	cmd := &cobra.Command{
		Use: "get CONTEXT [PROPERTY]", Short: "Print the properties of one context, or the value of one", Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := c.keys()
			if err != nil {
				return err
			}
			return c.with(cmd, func(ctx context.Context, center *configcenter.Center, out io.Writer) error {
				return c.printContext(ctx, center, out, keys, args[0], args[1:])
			})
		},
	}
	c.addRaw(cmd)
	return cmd
}

// printContext prints the properties of a context, or the value of one.
func (c *configuring) printContext(ctx context.Context, center *configcenter.Center, out io.Writer, keys *configcenter.Keyring, name string, one []string) error {
	properties, revision, err := center.Properties(ctx, name)
	if err != nil {
		return err
	}
	if len(properties) == 0 {
		return c.nothing(ctx, center, name, map[string]int64{name: revision}, name)
	}
	for _, key := range one {
		value, there := properties[key]
		if !there {
			return fmt.Errorf("%s/%s has no property %q", c.root, name, key)
		}
		properties = map[string]string{key: value}
	}
	v := configcenter.View{Properties: properties, Origins: make(map[string]string)}
	for key := range properties {
		v.Origins[key] = name
	}
	plain, err := c.decrypted(v, keys)
	if err != nil {
		return err
	}
	if len(one) > 0 && !c.dial.JSON() {
		_, err := fmt.Fprintln(out, plain[one[0]])
		return err
	}
	c.printProperties(out, plain, map[string]any{"context": name, "revision": revision})
	return nil
}

func (c *configuring) printProperties(out io.Writer, properties map[string]string, doc map[string]any) {
	if c.dial.JSON() {
		doc["properties"] = properties
		printJSON(out, doc)
		return
	}
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		fmt.Fprintln(out, key+"="+properties[key])
	}
}

// appFlags name a program that uses configuration.
type appFlags struct {
	app    configcenter.App
	labels []string
}

func (a *appFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&a.app.Profiles, "profile", nil, "active profile; may be given several times, the last one wins")
	f.StringVar(&a.app.Environment, "env", "", "environment: a profile that wins over the others")
	f.StringVar(&a.app.Instance, "instance", "", "name of the instance, for canaries")
	f.StringArrayVar(&a.labels, "label", nil, "key=value of the instance, for canaries; may be given several times")
}

func (a *appFlags) named(name string) (configcenter.App, error) {
	labels, err := pairs(a.labels)
	app := a.app
	app.Name, app.Labels = name, labels
	return app, err
}

func (c *configuring) resolve() *cobra.Command {
	var flags appFlags
	var origins bool
	cmd := &cobra.Command{
		Use: "resolve APP", Short: "Print the properties that a program sees, of all its contexts", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := c.keys()
			if err != nil {
				return err
			}
			return c.with(cmd, func(ctx context.Context, center *configcenter.Center, out io.Writer) error {
				app, err := flags.named(args[0])
				if err != nil {
					return err
				}
				view, err := center.Resolve(ctx, app)
				if err != nil {
					return err
				}
				if len(view.Properties) == 0 {
					return c.nothing(ctx, center, app.Name, view.Revisions, app.Contexts()...)
				}
				properties, err := c.decrypted(view, keys)
				if err != nil {
					return err
				}
				if origins && !c.dial.JSON() {
					for _, key := range slices.Sorted(maps.Keys(properties)) {
						fmt.Fprintf(out, "%s=%s\t# %s\n", key, properties[key], view.Origins[key])
					}
					return nil
				}
				c.printProperties(out, properties, map[string]any{"app": app.Name, "origins": view.Origins, "revisions": view.Revisions, "canaries": append([]string{}, view.Canaries...)})
				return nil
			})
		},
	}
	flags.add(cmd)
	c.addRaw(cmd)
	cmd.Flags().BoolVar(&origins, "origins", false, "tell which context each is from")
	return cmd
}

// diffDoc is a difference in JSON.
type diffDoc struct {
	Key string  `json:"key"`
	Old *string `json:"old,omitempty"`
	New *string `json:"new,omitempty"`
}

func (c *configuring) printDiff(out io.Writer, diff []configcenter.Difference) {
	docs := []diffDoc{}
	for _, d := range diff {
		doc := diffDoc{Key: d.Key, Old: &d.Old, New: &d.New}
		switch {
		case d.Added:
			doc.Old = nil
		case d.Removed:
			doc.New = nil
		}
		docs = append(docs, doc)
		if c.dial.JSON() {
			continue
		}
		switch {
		case d.Added:
			fmt.Fprintf(out, "+ %s=%s\n", d.Key, d.New)
		case d.Removed:
			fmt.Fprintf(out, "- %s=%s\n", d.Key, d.Old)
		default:
			fmt.Fprintf(out, "~ %s=%s (was %s)\n", d.Key, d.New, d.Old)
		}
	}
	if c.dial.JSON() {
		printJSON(out, map[string]any{"differences": docs})
	}
}

func (c *configuring) list() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the contexts", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, func(ctx context.Context, center *configcenter.Center, out io.Writer) error {
				names, err := center.Contexts(ctx)
				if err != nil {
					return err
				}
				if len(names) == 0 {
					note(cmd, "there are no contexts below %s so far", c.root)
				}
				if c.dial.JSON() {
					printJSON(out, map[string][]string{"contexts": append([]string{}, names...)})
					return nil
				}
				for _, name := range names {
					fmt.Fprintln(out, name)
				}
				return nil
			})
		},
	}
}

func (c *configuring) history() *cobra.Command {
	var most int
	cmd := &cobra.Command{
		Use: "history CONTEXT", Short: "List the revisions of a context, the latest first", Args: cobra.ExactArgs(1),
		Long: "List the revisions of a context, the latest first: number, time, author, what was done, why.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if most < 0 {
				return cli.Misuse(fmt.Errorf("--number wants 0 or more, not %d", most))
			}
			return c.with(cmd, func(ctx context.Context, center *configcenter.Center, out io.Writer) error {
				revisions, err := center.History(ctx, args[0], most)
				if err == nil && len(revisions) == 0 {
					err = c.neverPublished(args[0], args[0])
				}
				if err != nil {
					return err
				}
				for _, r := range revisions {
					c.printRevision(out, r)
				}
				return nil
			})
		},
	}
	cmd.Flags().IntVarP(&most, "number", "n", 0, "how many (default all that are kept)")
	return cmd
}

func (c *configuring) printRevision(out io.Writer, r configcenter.Revision) {
	if c.dial.JSON() {
		printJSON(out, r)
		return
	}
	action := r.Action
	if r.Canary != "" {
		action += " " + r.Canary
	}
	fmt.Fprintf(out, "%d\t%s\t%s\t%s\t%s\n", r.Number, r.Time.Format(time.RFC3339), r.Author, action, cmp.Or(r.Reason, "-"))
}

func (c *configuring) diff() *cobra.Command {
	return &cobra.Command{
		Use: "diff CONTEXT FROM [TO]", Short: "Print how two revisions differ; TO is the last one if left out", Args: cobra.RangeArgs(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			numbers := make([]int64, 2)
			for i, text := range args[1:] {
				n, err := strconv.ParseInt(text, 10, 64)
				if err != nil || n < 0 {
					return fmt.Errorf("%q is not the number of a revision", text)
				}
				numbers[i] = n
			}
			return c.with(cmd, func(ctx context.Context, center *configcenter.Center, out io.Writer) error {
				if len(args) == 2 {
					_, last, err := center.Properties(ctx, args[0])
					if err != nil {
						return err
					}
					numbers[1] = last
				}
				diff, err := center.DiffRevisions(ctx, args[0], numbers[0], numbers[1])
				if err == nil {
					c.printDiff(out, diff)
				}
				return err
			})
		},
	}
}

func (c *configuring) drift() *cobra.Command {
	return &cobra.Command{
		Use: "drift CONTEXT", Short: "Print what was changed since the last revision without being published", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, func(ctx context.Context, center *configcenter.Center, out io.Writer) error {
				diff, err := center.Drift(ctx, args[0])
				if err == nil && len(diff) == 0 {
					err = c.everPublished(ctx, center, args[0])
				}
				if err == nil {
					c.printDiff(out, diff)
				}
				return err
			})
		},
	}
}

func (c *configuring) who() *cobra.Command {
	return &cobra.Command{
		Use: "who APP", Short: "List the programs that follow their configuration, and the revisions they run", Args: cobra.ExactArgs(1),
		Long: `List the programs that follow their configuration: instance, since when, the
revisions that they run as CONTEXT@NUMBER, and why one refuses the latest.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, func(ctx context.Context, center *configcenter.Center, out io.Writer) error {
				list, err := center.Subscribers(ctx, args[0])
				if err != nil {
					return err
				}
				if len(list) == 0 {
					note(cmd, "nobody follows the configuration of %q", args[0])
				}
				for _, s := range list {
					c.printSubscriber(out, s)
				}
				return nil
			})
		},
	}
}

func (c *configuring) printSubscriber(out io.Writer, s configcenter.Subscriber) {
	if c.dial.JSON() {
		printJSON(out, struct {
			Instance string `json:"instance"`
			configcenter.Subscriber
		}{s.Instance, s})
		return
	}
	var words []string
	for _, name := range s.Contexts {
		if n := s.Revisions[name]; n > 0 {
			words = append(words, fmt.Sprintf("%s@%d", name, n))
		}
	}
	for _, name := range s.Canaries {
		words = append(words, "canary:"+name)
	}
	fmt.Fprintf(out, "%s\t%s\t%s", s.Instance, s.Since.Format(time.RFC3339), cmp.Or(strings.Join(words, " "), "-"))
	if s.Error != "" {
		fmt.Fprintf(out, "\trefuses: %s", strings.ReplaceAll(s.Error, "\n", "; "))
	}
	fmt.Fprintln(out)
}

// author is who works here, if nobody says otherwise.
func author() string {
	name := os.Getenv("USER")
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, _ := os.Hostname() // without one, the name has to do
	return strings.Trim(name+"@"+host, "@")
}
