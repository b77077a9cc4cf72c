package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/server"
)

func newServer() *cobra.Command {
	var check bool
	var set []string
	var profile string
	cmd := &cobra.Command{
		Use:   "server [zoo.cfg]",
		Short: "Run a server",
		Long: `Run a server until it gets SIGTERM or SIGINT.

Without a file, data goes to ./quoll-data, clients come in on port 2181 and the
admin server listens on port 8080. Settings have the names of Apache's zoo.cfg;
each can also be given as --set NAME=VALUE or in the environment as QUOLL_NAME
(clientPort as QUOLL_CLIENT_PORT). JVMFLAGS and SERVER_JVMFLAGS are read for
-D properties.`,
		Example: `  quoll server
  quoll server /etc/zookeeper/zoo.cfg
  quoll server --set clientPort=2182 --set dataDir=/var/lib/quoll
  quoll server --check zoo.cfg`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o := server.Options{Env: os.Environ(), Settings: map[string]string{}}
			if len(args) == 1 {
				o.File = args[0]
			}
			for _, kv := range set {
				key, value, ok := strings.Cut(kv, "=")
				if !ok {
					return fmt.Errorf("--set %s: want NAME=VALUE", kv)
				}
				o.Settings[key] = value
			}
			s, err := server.New(o)
			if err != nil {
				return err
			}
			if check {
				fmt.Fprintln(cmd.OutOrStdout(), "configuration is valid")
				return nil
			}
			tune()
			if profile != "" {
				f, err := os.Create(profile)
				if err != nil {
					return err
				}
				defer f.Close()
				if err := pprof.StartCPUProfile(f); err != nil {
					return err
				}
				defer pprof.StopCPUProfile()
			}
			return s.Run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "check the configuration and end")
	cmd.Flags().StringVar(&profile, "cpuprofile", "", "write a CPU profile of the whole run to this file")
	cmd.Flags().StringArrayVar(&set, "set", nil, "a setting, as NAME=VALUE; may be repeated")
	return cmd
}

// tune sets the runtime up for a server whose state is not on Go's heap: what
// is on the heap is small and short-lived, so collections can be rare, and one
// more thread than processors may run Go code because the log's is mostly
// waiting for the disk.
func tune() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
}
