package bench

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/internal/bench/leastserver"
)

// newLeastServerCommand is `quoll bench least-server`.
func newLeastServerCommand() *cobra.Command {
	listen, cfg := "127.0.0.1:2181", leastserver.Config{Dir: ".", ValueSize: 100}
	cmd := &cobra.Command{
		Use:   "least-server",
		Short: "Serve the least that a server can do: the limit of this machine",
		Long: `Answers get, set, create, delete, exists, ping and close without a tree, sessions
or checks: frames in, one shared fdatasync for writes, replies out. What a
benchmark reaches here is what this machine allows a server written in Go.`,
		Example: `  quoll bench least-server --listen 127.0.0.1:2190 &
  quoll bench --server 127.0.0.1:2190 get set`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			cmd.SilenceUsage = true
			return serveLeast(ctx, cmd, listen, cfg)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", listen, "`address` to listen on")
	cmd.Flags().StringVar(&cfg.Dir, "dir", cfg.Dir, "directory for the log")
	cmd.Flags().IntVar(&cfg.ValueSize, "size", cfg.ValueSize, "bytes that a get answers")
	return cmd
}

func serveLeast(ctx context.Context, cmd *cobra.Command, listen string, cfg leastserver.Config) error {
	s, err := leastserver.New(cfg)
	if err != nil {
		return err
	}
	defer s.Close()
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "least server on %s, log in %s, process %d\n", ln.Addr(), cfg.Dir, os.Getpid())
	return s.Serve(ctx, ln)
}
