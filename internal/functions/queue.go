package functions

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/cli"
	"github.com/quollhq/quoll/recipe/queue"
)

var layouts = map[string]queue.Layout{
	"curator": queue.Curator, "curator-priority": queue.CuratorPriority, "curator-delay": queue.CuratorDelay, "simple": queue.Simple,
	"kazoo": queue.Kazoo, "kazoo-locking": queue.KazooLocking,
}

const layoutNames = "curator, curator-priority, curator-delay, simple, kazoo or kazoo-locking"

// queueing is what all calls of quoll queue have in common.
type queueing struct {
	dial     *cli.Dialer
	layout   string
	dead     string
	attempts int
}

func newQueue() *cobra.Command {
	q := &queueing{}
	cmd := &cobra.Command{
		Use:   "queue",
		Short: "Put messages into a queue, take them, count them",
		Long: `NAME is a node, or a name below /queues. The layouts are those of Apache Curator's
DistributedQueue, DistributedPriorityQueue, DistributedDelayQueue and
SimpleDistributedQueue, and of kazoo's Queue and LockingQueue.

All who use a queue must name the same layout: a queue with a message of another one
is an error that names the message, until that is taken with its layout or deleted.`,
		Example: `  quoll queue put jobs "resize 17"
  quoll queue take jobs
  quoll queue put --layout curator-priority --priority -5 urgent "resize 18"
  quoll queue take --layout curator-priority urgent
  quoll queue take --follow --dead-letters jobs-dead jobs -- ./work
  quoll queue length jobs`,
	}
	q.dial = cli.NewDialer(cmd)
	q.dial.AddOutput(cmd)
	cmd.PersistentFlags().StringVar(&q.layout, "layout", "curator",
		layoutNames)
	cmd.AddCommand(newQueuePut(q), newQueueTake(q), newQueueLength(q))
	return cmd
}

func (q *queueing) open(c *client.Client, name string) (*queue.Queue, error) {
	layout, ok := layouts[q.layout]
	if !ok {
		return nil, cli.Misuse(fmt.Errorf("--layout wants %s, not %q", layoutNames, q.layout))
	}
	opts := []queue.Option{queue.WithLayout(layout)}
	if q.dead != "" {
		opts = append(opts, queue.WithDeadLetters(pathOf("/queues", q.dead), q.attempts))
	}
	return queue.New(c, pathOf("/queues", name), opts...)
}

// withLayout are the flags of a message that only some layouts have a place for.
var withLayout = map[string][]string{"priority": {"curator-priority", "kazoo", "kazoo-locking"}, "delay": {"curator-delay"}}

// placed fails if a flag of the message has no place in the layout.
func (q *queueing) placed(cmd *cobra.Command) error {
	for flag, names := range withLayout {
		if cmd.Flags().Changed(flag) && !slices.Contains(names, q.layout) {
			return cli.Misuse(fmt.Errorf("--%s wants --layout %s, here and where the message is taken", flag, strings.Join(names, " or ")))
		}
	}
	return nil
}

// advise says what is to be done about a node that is no message of the layout.
func (q *queueing) advise(err error) error {
	var foreign *queue.ForeignError
	if !errors.As(err, &foreign) {
		return err
	}
	name, advice := path.Base(foreign.Path), "Nothing is taken from the queue while it is there; to delete it"
	for _, other := range slices.Sorted(maps.Keys(layouts)) {
		if !layouts[q.layout].Named(name) && layouts[other].Named(name) {
			advice = fmt.Sprintf("Its name is one of --layout %s; use that, or delete it", other)
			break
		}
	}
	return fmt.Errorf("%w\n%s: quoll cli delete '%s'", err, advice, foreign.Path)
}

func newQueuePut(q *queueing) *cobra.Command {
	var priority int
	var delay time.Duration
	cmd := &cobra.Command{
		Use:   "put [flags] NAME [MESSAGE]",
		Short: "Put a message, or standard input, into a queue",
		Args:  cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := errors.Join(q.placed(cmd), notNegative(cmd, "delay")); err != nil {
				return err
			}
			var opts []queue.PutOption
			if cmd.Flags().Changed("priority") {
				opts = append(opts, queue.Priority(priority))
			}
			if cmd.Flags().Changed("delay") {
				opts = append(opts, queue.Due(time.Now().Add(delay)))
			}
			message, err := messageOf(cmd, args[1:])
			if err != nil {
				return err
			}
			return q.dial.With(cmd, func(ctx context.Context, c *client.Client) error {
				to, err := q.open(c, args[0])
				if err != nil {
					return err
				}
				return to.Put(ctx, message, opts...)
			})
		},
	}
	cmd.Flags().IntVar(&priority, "priority", 0, "lower ones come first; for --layout curator-priority, kazoo and kazoo-locking")
	cmd.Flags().DurationVar(&delay, "delay", 0, "not before so long from now; for --layout curator-delay")
	return cmd
}

func messageOf(cmd *cobra.Command, args []string) ([]byte, error) {
	if len(args) > 0 {
		return []byte(args[0]), nil
	}
	return readInput(cmd.InOrStdin(), "the message")
}

func newQueueLength(q *queueing) *cobra.Command {
	return &cobra.Command{
		Use:   "length NAME",
		Short: "Count the messages",
		Long: `Count the messages, those that are being delivered included. A queue that is not
there has none, and standard error says so.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return q.dial.With(cmd, func(ctx context.Context, c *client.Client) error {
				of, err := q.open(c, args[0])
				if err != nil {
					return err
				}
				n, err := of.Len(ctx)
				if err == nil && n == 0 {
					err = noteMissing(ctx, cmd, c, "queue", pathOf("/queues", args[0]))
				}
				switch {
				case err != nil:
					return err
				case q.dial.JSON():
					printJSON(cmd.OutOrStdout(), map[string]int{"length": n})
				default:
					fmt.Fprintln(cmd.OutOrStdout(), n)
				}
				return nil
			})
		},
	}
}

// noteMissing tells the user that there is no such node, as may be because its name
// is wrong.
func noteMissing(ctx context.Context, cmd *cobra.Command, c *client.Client, what, path string) error {
	_, found, err := c.Exists(ctx, path)
	if err == nil && !found {
		note(cmd, "there is no %s %s so far", what, path)
	}
	return err
}

// taking is a call of quoll queue take.
type taking struct {
	*queueing
	path   string
	try    bool
	wait   time.Duration
	follow bool
	grace  time.Duration
}

func newQueueTake(q *queueing) *cobra.Command {
	t := taking{queueing: q}
	cmd := &cobra.Command{
		Use:   "take [flags] NAME [-- COMMAND [ARGUMENT...]]",
		Short: "Take a message and print it, or give it to a command",
		Long: `Without a command the message is printed, with a newline, and then taken off the
queue.

With a command, the message is its standard input. It is taken off the queue when
the command ends with 0 by itself; otherwise, and when quoll or the machine dies, it
is delivered again, or with --dead-letters moved there after some attempts. When
somebody else may get the message, or quoll is interrupted, the command gets SIGTERM,
and SIGKILL after the grace; so does, on Linux, all that it has started. Then the
message is delivered again also if the command ends with 0, as many do when they are
told to end: nobody knows how far it had come.
` + killedHelp + `

With --follow there is a pause after each failure of the command, from 0.1 s to 10 s
if it goes on failing; --dead-letters keeps one message from holding up the others.

The exit code is the command's, or 75 when no message came in time, or when the
command was told to end and ended with 0.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			own, command, err := commandAfter(cmd, args, 1, false)
			if err != nil {
				return err
			}
			if len(command) == 0 {
				err = idle(cmd, "a command", "grace")
			}
			if err := errors.Join(err, notNegative(cmd, "wait", "grace"), t.consistent(cmd, own[0])); err != nil {
				return err
			}
			return q.dial.Patient(t.follow).With(cmd, func(ctx context.Context, c *client.Client) error {
				from, err := q.open(c, own[0])
				if err != nil {
					return err
				}
				t.path = pathOf("/queues", own[0])
				return q.advise(t.run(ctx, cmd, from, command))
			})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&t.try, "try", false, "do not wait for a message")
	f.DurationVar(&t.wait, "wait", 0, "wait for so long at most; 0 is for ever")
	f.BoolVarP(&t.follow, "follow", "f", false, "go on with the next message")
	f.StringVar(&q.dead, "dead-letters", "", "queue for messages that the command does not manage")
	f.IntVar(&q.attempts, "attempts", 5, "deliveries before a message is a dead letter")
	f.DurationVar(&t.grace, "grace", 2*time.Second, "from SIGTERM to SIGKILL, when the delivery may be lost or quoll is to end")
	cmd.MarkFlagsMutuallyExclusive("try", "wait")
	return cmd
}

// consistent fails if the flags do not fit together.
func (t *taking) consistent(cmd *cobra.Command, name string) error {
	f := cmd.Flags()
	switch {
	case f.Changed("attempts") && !f.Changed("dead-letters"):
		return cli.Misuse(errors.New("--attempts wants --dead-letters, the queue for messages that had so many"))
	case f.Changed("dead-letters") && pathOf("/queues", t.dead) == pathOf("/queues", name):
		return cli.Misuse(fmt.Errorf("--dead-letters wants another queue than %s itself", name))
	case t.attempts < 1:
		return cli.Misuse(fmt.Errorf("--attempts wants at least 1, not %d", t.attempts))
	case f.Changed("dead-letters") && t.dead == "":
		return cli.Misuse(errors.New("--dead-letters wants the name of a queue"))
	}
	return nil
}

// shortest and longest are how long --follow waits after a failure of the command,
// doubling while it goes on: the message that it has failed at comes first again.
const (
	shortest = 100 * time.Millisecond
	longest  = 10 * time.Second
)

func (t *taking) run(ctx context.Context, cmd *cobra.Command, q *queue.Queue, command []string) error {
	pause := shortest
	for {
		err := t.one(ctx, cmd, q, command)
		switch {
		case t.follow && err == nil:
			pause = shortest
		case t.follow && err != nil && unlessInterrupted(ctx, err) == nil:
			return nil
		case errors.Is(err, queue.ErrEmpty) || ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
			note(cmd, "there is no message in %s", t.path)
			return &cli.ExitError{Code: exitNotYet}
		case t.follow && errors.As(err, new(*cli.ExitError)) && ctx.Err() == nil: // the command has said what went wrong
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return nil
			}
			pause = min(2*pause, longest)
		default:
			return err
		}
	}
}

// one delivers one message.
func (t *taking) one(ctx context.Context, cmd *cobra.Command, q *queue.Queue, command []string) error {
	d, err := t.receive(ctx, q)
	if err != nil {
		return err
	}
	if len(command) > 0 {
		err = t.give(ctx, cmd, d, command)
	} else {
		err = t.print(cmd.OutOrStdout(), d)
	}
	in, done := leaving(ctx)
	defer done()
	if err != nil {
		return outcome(err, d.Reject(in))
	}
	return d.Ack(in)
}

// give has the command work on a message while nobody else has it. A command that
// was told to end has not done the work, whatever its exit code says.
func (t *taking) give(ctx context.Context, cmd *cobra.Command, d *queue.Delivery, command []string) error {
	within, end := d.Within(ctx)
	defer end()
	env := []string{"QUOLL_MESSAGE_PATH=" + d.Path, fmt.Sprintf("QUOLL_MESSAGE_ATTEMPT=%d", d.Attempt)}
	j := job{args: command, env: env, stdin: bytes.NewReader(bytes.Join(d.Bodies, []byte("\n"))), grace: t.grace}
	if err := j.run(within, cmd); err != nil || within.Err() == nil {
		return err
	}
	note(cmd, "%s is not acknowledged: the command was told to end", d.Path)
	return &cli.ExitError{Code: exitNotYet}
}

// messageDoc is a message in JSON: its text, or what is not UTF-8 in base64.
type messageDoc struct {
	Message       *string `json:"message,omitempty"`
	MessageBase64 []byte  `json:"messageBase64,omitempty"`
	Path          string  `json:"path"`
	Attempt       int     `json:"attempt"`
}

func (t *taking) print(out io.Writer, d *queue.Delivery) error {
	for _, body := range d.Bodies {
		line := body
		if t.dial.JSON() {
			doc := messageDoc{Path: d.Path, Attempt: d.Attempt}
			if text := string(body); utf8.ValidString(text) {
				doc.Message = &text
			} else {
				doc.MessageBase64 = body
			}
			var err error
			if line, err = json.Marshal(doc); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintf(out, "%s\n", line); err != nil {
			return err
		}
	}
	return nil
}

func (t *taking) receive(ctx context.Context, q *queue.Queue) (*queue.Delivery, error) {
	if t.try {
		return q.TryReceive(ctx)
	}
	if t.wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.wait)
		defer cancel()
	}
	return q.Receive(ctx)
}
