package functions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/configcenter"
)

// recordFlags are what every publication records.
type recordFlags struct{ change configcenter.Change }

func (r *recordFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&r.change.Author, "author", author(), "who changes it")
	f.StringVar(&r.change.Reason, "reason", "", "why")
	f.Var((*baseValue)(&r.change.Base), "base", "fail unless this is the last revision; 0: unless nothing was ever published")
}

// baseValue is the flag of a Change's Base, in which 0 is a number like others.
type baseValue int64

func (b *baseValue) String() string {
	if *b == 0 {
		return "" // not given
	}
	return strconv.FormatInt(max(int64(*b), 0), 10)
}

func (b *baseValue) Set(text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil || n < 0:
		return fmt.Errorf("wants the number of a revision, or 0, not %q", text)
	case n == 0:
		n = configcenter.NeverPublished
	}
	*b = baseValue(n)
	return nil
}

func (b *baseValue) Type() string { return "revision" }

// printPublished prints a revision; that there was nothing to change is no failure.
func (c *configuring) printPublished(out io.Writer, r configcenter.Revision, err error) error {
	if errors.Is(err, configcenter.ErrUnchanged) {
		if c.dial.JSON() {
			printJSON(out, map[string]bool{"unchanged": true})
		} else {
			fmt.Fprintln(out, "unchanged")
		}
		return nil
	}
	if err == nil {
		c.printRevision(out, r)
	}
	return err
}

func (c *configuring) set() *cobra.Command {
	var record recordFlags
	var remove, sealed []string
	var from string
	cmd := &cobra.Command{
		Use: "set CONTEXT [PROPERTY=VALUE...]", Short: "Publish properties of a context, all at once", Args: cobra.MinimumNArgs(1),
		Example: `  quoll config set orders,prod pool.size=8 color=red --delete old.name --reason "ticket 17"
  quoll config set orders --from orders.properties
  quoll config set orders --keyring keys --encrypt db.password=secret`,
		RunE: func(cmd *cobra.Command, args []string) error {
			change := record.change
			var err error
			if change.Set, err = c.properties(from, args[1:], sealed); err != nil {
				return err
			}
			change.Delete = remove
			if len(change.Set)+len(remove) == 0 {
				return wrongArguments(cmd, errors.New("nothing to set or to delete"))
			}
			return c.with(cmd, func(ctx context.Context, center *configcenter.Center, out io.Writer) error {
				r, err := center.Publish(ctx, args[0], change)
				return c.printPublished(out, r, err)
			})
		},
	}
	record.add(cmd)
	cmd.Flags().StringArrayVar(&remove, "delete", nil, "property to remove; may be given several times")
	cmd.Flags().StringArrayVar(&sealed, "encrypt", nil, "property=value to publish encrypted; may be given several times")
	cmd.Flags().StringVar(&from, "from", "", "file of properties, a property=value to a line")
	return cmd
}

// properties gathers properties from a file, from words and from those to be
// encrypted. Words win over the file.
func (c *configuring) properties(from string, words, sealed []string) (map[string]string, error) {
	all := make(map[string]string)
	if from != "" {
		lines, err := readProperties(from)
		if err != nil {
			return nil, err
		}
		inFile, err := pairs(lines)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		maps.Copy(all, inFile)
	}
	given, err := pairs(append(slices.Clone(words), sealed...))
	if err != nil {
		return nil, err
	}
	maps.Copy(all, given)
	secrets, err := pairs(sealed)
	if err != nil || len(secrets) == 0 {
		return all, err
	}
	keys, err := c.keys()
	if err != nil {
		return nil, err
	}
	if keys == nil {
		return nil, errNoKeyring
	}
	for key, value := range secrets {
		all[key] = keys.Encrypt(key, value)
	}
	return all, nil
}

// readProperties reads lines property=value; empty ones and comments (#) are
// passed over.
func readProperties(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := readInput(f, path)
	if err != nil {
		return nil, err
	}
	var lines []string
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, fmt.Errorf("%s:%d: %q is not of the form property=value", path, n, line)
		}
		lines = append(lines, strings.TrimSpace(key)+"="+strings.TrimSpace(value))
	}
	return lines, nil
}

func (c *configuring) delete() *cobra.Command {
	var record recordFlags
	cmd := &cobra.Command{
		Use: "delete CONTEXT PROPERTY...", Short: "Remove properties of a context, all at once", Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			change := record.change
			change.Delete = args[1:]
			return c.with(cmd, func(ctx context.Context, center *configcenter.Center, out io.Writer) error {
				r, err := center.Publish(ctx, args[0], change)
				return c.printPublished(out, r, err)
			})
		},
	}
	record.add(cmd)
	return cmd
}

func (c *configuring) rollback() *cobra.Command {
	var record recordFlags
	cmd := &cobra.Command{
		Use: "rollback CONTEXT REVISION", Short: "Publish an earlier revision anew", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			to, err := strconv.ParseInt(args[1], 10, 64)
			if err != nil || to < 1 {
				return fmt.Errorf("%q is not the number of a revision", args[1])
			}
			return c.with(cmd, func(ctx context.Context, center *configcenter.Center, out io.Writer) error {
				r, err := center.Rollback(ctx, args[0], to, record.change)
				return c.printPublished(out, r, err)
			})
		},
	}
	record.add(cmd)
	return cmd
}

func (c *configuring) canary() *cobra.Command {
	cmd := &cobra.Command{Use: "canary", Short: "Let some instances see a change before all do"}
	cmd.AddCommand(c.startCanary(), c.endCanary("promote", "Publish what a canary changes", (*configcenter.Center).PromoteCanary),
		c.endCanary("abort", "End a canary", (*configcenter.Center).AbortCanary), c.listCanaries())
	return cmd
}

func (c *configuring) startCanary() *cobra.Command {
	var record recordFlags
	var canary configcenter.Canary
	var labels, sealed []string
	cmd := &cobra.Command{
		Use: "start CONTEXT NAME [PROPERTY=VALUE...]", Short: "Start a canary, or replace it", Args: cobra.MinimumNArgs(2),
		Long: `Start a canary, or replace it: what some instances see before all do. They are
chosen by --instance, --label or --percent, of which one is needed.`,
		Example: `  quoll config canary start orders bigger --percent 10 pool.size=16
  quoll config canary promote orders bigger`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if canary.Match.Labels, err = pairs(labels); err != nil {
				return err
			}
			canary.Name = args[1]
			if f := cmd.Flags(); !f.Changed("instance") && !f.Changed("label") && !f.Changed("percent") {
				return wrongArguments(cmd, errors.New("who sees the canary? --instance, --label or --percent"))
			}
			if canary.Set, err = c.properties("", args[2:], sealed); err != nil {
				return err
			}
			return c.with(cmd, func(ctx context.Context, center *configcenter.Center, out io.Writer) error {
				r, err := center.StartCanary(ctx, args[0], canary, record.change)
				return c.printPublished(out, r, err)
			})
		},
	}
	record.add(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&canary.Match.Instances, "instance", nil, "instance that sees it; may be given several times")
	f.StringArrayVar(&labels, "label", nil, "key=value; instances that have all of them see it")
	f.Float64Var(&canary.Match.Percent, "percent", 0, "part of the instances that see it, 0 to 100")
	f.StringArrayVar(&canary.Delete, "delete", nil, "property to remove; may be given several times")
	f.StringArrayVar(&sealed, "encrypt", nil, "property=value to set encrypted; may be given several times")
	return cmd
}

type endFunc func(center *configcenter.Center, ctx context.Context, name, canary string, change configcenter.Change) (configcenter.Revision, error)

func (c *configuring) endCanary(verb, short string, end endFunc) *cobra.Command {
	var record recordFlags
	cmd := &cobra.Command{
		Use: verb + " CONTEXT NAME", Short: short, Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, func(ctx context.Context, center *configcenter.Center, out io.Writer) error {
				r, err := end(center, ctx, args[0], args[1], record.change)
				return c.printPublished(out, r, err)
			})
		},
	}
	record.add(cmd)
	return cmd
}

func (c *configuring) listCanaries() *cobra.Command {
	return &cobra.Command{
		Use: "list CONTEXT", Short: "List the canaries of a context", Args: cobra.ExactArgs(1),
		Long: "List the canaries of a context: name, its revision, who sees it, what it changes.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, func(ctx context.Context, center *configcenter.Center, out io.Writer) error {
				list, err := center.Canaries(ctx, args[0])
				if err == nil && len(list) == 0 {
					if err = c.everPublished(ctx, center, args[0]); err == nil {
						note(cmd, "%q has no canaries", args[0])
					}
				}
				if err != nil {
					return err
				}
				for _, canary := range list {
					c.printCanary(out, canary)
				}
				return nil
			})
		},
	}
}

func (c *configuring) printCanary(out io.Writer, canary configcenter.Canary) {
	if c.dial.JSON() {
		printJSON(out, struct {
			Name string `json:"name"`
			configcenter.Canary
		}{canary.Name, canary})
		return
	}
	words := []string{canary.Name, fmt.Sprintf("@%d", canary.Revision)}
	for _, name := range canary.Match.Instances {
		words = append(words, "instance:"+name)
	}
	for _, key := range slices.Sorted(maps.Keys(canary.Match.Labels)) {
		words = append(words, "label:"+key+"="+canary.Match.Labels[key])
	}
	if canary.Match.Percent > 0 {
		words = append(words, fmt.Sprintf("percent:%g", canary.Match.Percent))
	}
	for _, key := range slices.Sorted(maps.Keys(canary.Set)) {
		words = append(words, key+"="+canary.Set[key])
	}
	for _, key := range canary.Delete {
		words = append(words, "-"+key)
	}
	fmt.Fprintln(out, strings.Join(words, "\t"))
}
