package functions

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/cli"
	"github.com/quollhq/quoll/recipe/counter"
)

var formats = map[string]counter.Format{"long": counter.Long, "int": counter.Int, "text": counter.Text}

// counting is a call of quoll count.
type counting struct {
	dial   *cli.Dialer
	format string
	watch  bool
}

func newCount() *cobra.Command {
	n := &counting{}
	cmd := &cobra.Command{
		Use:   "count [flags] NAME [+N | -N | =N]",
		Short: "Read, change or follow a counter",
		Long: `Print a counter, after adding to it or setting it.

NAME is a node, or a name below /counters. The format is that of Apache Curator's
DistributedAtomicLong (long), of its DistributedAtomicInteger and SharedCount and
kazoo's Counter with support_curator (int), or of kazoo's Counter (text). A counter
that is not there counts as 0, and standard error says so.`,
		Example: `  quoll count orders +1
  quoll count orders -1
  quoll count orders =0
  quoll count --watch orders`,
		Args:               cobra.ArbitraryArgs, // until the flags are known
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			args, help, err := withNumbers(cmd, args)
			if err != nil || help {
				return err
			}
			if len(args) < 1 || len(args) > 2 {
				return wrongArguments(cmd, nil)
			}
			return n.dial.Patient(n.watch).With(cmd, func(ctx context.Context, c *client.Client) error { return n.run(ctx, cmd, c, args) })
		},
	}
	n.dial = cli.NewDialer(cmd)
	n.dial.AddOutput(cmd)
	cmd.Flags().StringVar(&n.format, "format", "long", "long, int or text")
	cmd.Flags().BoolVarP(&n.watch, "watch", "w", false, "print each change")
	return cmd
}

// withNumbers parses the flags of a command of which words like -2 are arguments,
// and returns these. Help is printed if it is asked for.
func withNumbers(cmd *cobra.Command, words []string) (args []string, help bool, err error) {
	// What looks like a number is not shown to the parser: it gets a word in its
	// place that is none of its flags.
	hidden := make([]string, len(words))
	for i, word := range words {
		hidden[i] = word
		if number.MatchString(word) && !slices.Contains(words[:i], "--") {
			hidden[i] = minus + word[1:]
		}
	}
	cmd.DisableFlagParsing = false
	if err := cmd.ParseFlags(hidden); err != nil {
		text := strings.ReplaceAll(err.Error(), quotedMinus, "-") // a number that was a flag's value
		return nil, false, cmd.FlagErrorFunc()(cmd, errors.New(text))
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if digits, ok := strings.CutPrefix(f.Value.String(), minus); ok {
			err = errors.Join(err, f.Value.Set("-"+digits))
		}
	})
	if err != nil {
		return nil, false, err
	}
	if help, err = cmd.Flags().GetBool("help"); help {
		return nil, true, cmd.Help()
	}
	for _, word := range cmd.Flags().Args() {
		if digits, ok := strings.CutPrefix(word, minus); ok {
			word = "-" + digits
		}
		args = append(args, word)
	}
	return args, false, err
}

// number is what no flag looks like.
var number = regexp.MustCompile(`^-[0-9]+$`)

// minus stands for the sign of a hidden number, and quotedMinus in a text that quotes
// it. No word of a command line has a NUL in it.
const (
	minus       = "\x00"
	quotedMinus = `\x00`
)

func (n *counting) run(ctx context.Context, cmd *cobra.Command, c *client.Client, args []string) error {
	format, ok := formats[n.format]
	if !ok {
		return fmt.Errorf("no format %q: long, int or text", n.format)
	}
	count, err := counter.New(c, pathOf("/counters", args[0]), counter.WithFormat(format))
	if err != nil {
		return err
	}
	if len(args) == 2 {
		if err := change(ctx, count, args[1]); err != nil {
			return err
		}
	}
	for v, err := range count.Watch(ctx) {
		if err != nil {
			return unlessInterrupted(ctx, err)
		}
		if v.Zxid == 0 {
			note(cmd, "there is no counter %s so far", pathOf("/counters", args[0]))
		}
		if n.dial.JSON() {
			printJSON(cmd.OutOrStdout(), map[string]int64{"count": v.N})
		} else {
			fmt.Fprintln(cmd.OutOrStdout(), v.N)
		}
		if !n.watch {
			return nil
		}
	}
	return nil
}

// change does what a word says: +N, -N, =N.
func change(ctx context.Context, count *counter.Counter, word string) error {
	digits, set := strings.CutPrefix(word, "=")
	number, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !set && !strings.HasPrefix(word, "+") && !strings.HasPrefix(word, "-") {
		return fmt.Errorf("%q is not +N, -N or =N", word)
	}
	if set {
		_, err = count.Set(ctx, number)
	} else {
		_, err = count.Add(ctx, number)
	}
	return err
}
