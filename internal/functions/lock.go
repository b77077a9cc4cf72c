package functions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/cli"
	"github.com/quollhq/quoll/recipe/lock"
)

// locking is a call of quoll lock.
type locking struct {
	dial   *cli.Dialer
	try    bool
	wait   time.Duration
	shared bool
	slots  int
	kazoo  bool
	grace  time.Duration
}

func newLock() *cobra.Command {
	l := &locking{}
	cmd := &cobra.Command{
		Use:   "lock [flags] NAME -- COMMAND [ARGUMENT...]",
		Short: "Run a command while holding a lock",
		Long: `Wait for a lock, run a command, give the lock back.

NAME is a node, or a name below /locks. The command finds QUOLL_LOCK_PATH and
QUOLL_LOCK_TOKEN in its environment: the token is larger for each later holder.
When the lock may be lost, before anybody else can get it, the command gets
SIGTERM, and SIGKILL after the grace; so does, on Linux, all that it has started.
` + killedHelp + `

Apache Curator's InterProcessMutex (with --shared, InterProcessReadWriteLock; with
--slots, InterProcessSemaphoreV2) and with --kazoo kazoo's Lock exclude each other
with it.

With --slots, NAME is another lock than without: the two do not exclude each other,
nor does --shared keep a semaphore out. All who take slots of one NAME must give the
same number.

The exit code is the command's (128 and the signal that ended it), or 75 when the
lock was not free in time.`,
		Example: `  quoll lock backup -- pg_dump --file backup.sql shop
  quoll lock --try nightly -- ./report
  quoll lock --slots 3 downloads -- curl -O https://example.org/big`,
		RunE: func(cmd *cobra.Command, args []string) error {
			own, command, err := commandAfter(cmd, args, 1, true)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("slots") && l.slots < 1 {
				return cli.Misuse(fmt.Errorf("--slots wants at least 1, not %d", l.slots))
			}
			if err := notNegative(cmd, "wait", "grace"); err != nil {
				return err
			}
			return l.dial.With(cmd, func(ctx context.Context, c *client.Client) error {
				return l.run(ctx, cmd, c, pathOf("/locks", own[0]), command)
			})
		},
	}
	l.dial = cli.NewDialer(cmd)
	f := cmd.Flags()
	f.BoolVar(&l.try, "try", false, "do not wait for the lock")
	f.DurationVar(&l.wait, "wait", 0, "wait for so long at most; 0 is for ever")
	f.BoolVar(&l.shared, "shared", false, "share the lock with others that do: a reader")
	f.IntVar(&l.slots, "slots", 0, "a semaphore of so many holders, the same number for all who take it")
	f.BoolVar(&l.kazoo, "kazoo", false, "use kazoo's names instead of Curator's")
	f.DurationVar(&l.grace, "grace", 2*time.Second, "from SIGTERM to SIGKILL, when the lock may be lost or quoll is to end")
	cmd.MarkFlagsMutuallyExclusive("shared", "slots")
	cmd.MarkFlagsMutuallyExclusive("slots", "kazoo")
	cmd.MarkFlagsMutuallyExclusive("try", "wait")
	return cmd
}

func (l *locking) run(ctx context.Context, cmd *cobra.Command, c *client.Client, path string, command []string) error {
	h, err := l.acquire(ctx, c, path)
	if err != nil {
		if errors.Is(err, lock.ErrLocked) || ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			fmt.Fprintf(cmd.ErrOrStderr(), "quoll: %s is locked\n", path)
			return &cli.ExitError{Code: exitNotYet}
		}
		return err
	}
	return holding(ctx, h, func(ctx context.Context) error {
		j := job{args: command, env: environment("LOCK", h), stdin: cmd.InOrStdin(), grace: l.grace}
		return j.run(ctx, cmd)
	})
}

func (l *locking) acquire(ctx context.Context, c *client.Client, path string) (*lock.Held, error) {
	if l.wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.wait)
		defer cancel()
	}
	if l.slots > 0 {
		s, err := lock.NewSemaphore(c, path, l.slots)
		if err != nil {
			return nil, err
		}
		if l.try {
			return s.TryAcquire(ctx)
		}
		return s.Acquire(ctx)
	}
	names := lock.CuratorNames
	if l.kazoo {
		names = lock.KazooNames
	}
	m, err := lock.New(c, path, lock.WithNames(names))
	if l.shared {
		var rw *lock.RW
		if rw, err = lock.NewRW(c, path, lock.WithNames(names)); err == nil {
			m = rw.Reader()
		}
	}
	switch {
	case err != nil:
		return nil, err
	case l.try:
		return m.TryLock(ctx)
	}
	return m.Lock(ctx)
}

// environment is what a command is told of what is held for it.
func environment(what string, h *lock.Held) []string {
	return []string{fmt.Sprintf("QUOLL_%s_PATH=%s", what, h.Path()), fmt.Sprintf("QUOLL_%s_TOKEN=%d", what, h.Token())}
}

// holding calls body with a context that ends with ctx or when the lock may be
// lost, and gives the lock back.
func holding(ctx context.Context, h *lock.Held, body func(ctx context.Context) error) error {
	within, end := h.Within(ctx)
	defer end()
	err := body(within)
	leaving, done := leaving(ctx)
	defer done()
	return outcome(err, h.Unlock(leaving))
}

// outcome is that of a command, unless what was held for it was lost: then its
// own is not what counts.
func outcome(command, unlock error) error {
	if unlock != nil {
		return unlock
	}
	return command
}
