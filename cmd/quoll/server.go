package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/quollhq/quoll/internal/cli"
	"github.com/quollhq/quoll/internal/config"
	"github.com/quollhq/quoll/server"
)

func newServer(calm bool) *cobra.Command {
	var check, keys bool
	var ensemble int
	var set []string
	var profile string
	cmd := &cobra.Command{
		Use:   "server [zoo.cfg]",
		Short: "Run a server",
		Long: `Run a server until it gets SIGTERM, SIGINT or SIGHUP (not under nohup).

Without a file, data goes to ./quoll-data, clients come in on port 2181 and the
admin server listens on port 8080. Settings have the names of Apache's zoo.cfg;
each can also be given as a flag (clientPort as --client-port), as
--set NAME=VALUE, or in the environment (QUOLL_CLIENT_PORT). JVMFLAGS and SERVER_JVMFLAGS are read for
-D properties.`,
		Example: `  quoll server
  quoll server /etc/zookeeper/zoo.cfg
  quoll server --client-port 2182 --data-dir /var/lib/quoll
  quoll server --set server.1=localhost:2888:3888
  quoll server --ensemble 3
  quoll server --help-config
  quoll server --check zoo.cfg`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if keys {
				return config.Describe(cmd.OutOrStdout(), config.Keys())
			}
			if !calm && !check {
				calmMonitor()
			}
			o := server.Options{Env: os.Environ(), Settings: map[string]string{}, Ready: forgetProgram}
			if len(args) == 1 {
				o.File = args[0]
			}
			settingFlags(cmd.Flags(), o.Settings)
			for _, kv := range set {
				key, value, ok := strings.Cut(kv, "=")
				if !ok {
					return cli.Misuse(fmt.Errorf("--set %s: want NAME=VALUE", kv))
				}
				o.Settings[key] = value
			}
			if cmd.Flags().Changed("ensemble") {
				if o.File != "" || check {
					return cli.Misuse(errors.New("--ensemble takes settings as flags, no file, and does not go with --check"))
				}
				tune()
				return runEnsemble(cmd.Context(), ensemble, o.Settings, cmd.OutOrStdout())
			}
			s, err := server.New(o)
			if err != nil {
				return err
			}
			if check {
				if err := s.Check(); err != nil {
					return err
				}
				_, err := fmt.Fprint(cmd.OutOrStdout(), "configuration is valid\n", s.Summary())
				return err
			}
			tune()
			if !s.Distributed() {
				askForShortSlices()
			}
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
			return inLog(s.Run(cmd.Context()))
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "check the configuration and the directories, say what the server would be, and end")
	cmd.Flags().IntVar(&ensemble, "ensemble", 0, "run so many members of an ensemble in this process, for development")
	cmd.Flags().StringVar(&profile, "cpuprofile", "", "write a CPU profile of the whole run to this file")
	cmd.Flags().StringArrayVar(&set, "set", nil, "a setting, as NAME=VALUE; may be repeated")
	cmd.Flags().BoolVar(&keys, "help-config", false, "list all settings and end")
	addSettingFlags(cmd.Flags())
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return fmt.Errorf("%w; quoll server --help-config lists the settings (clientPort is --client-port)", err)
	})
	return cmd
}

// logged is why a server has ended, which is in its log: there is no need to print it.
type logged struct{ error }

func inLog(err error) error {
	if err == nil {
		return nil
	}
	return logged{err}
}

// Unwrap gives the reason.
func (l logged) Unwrap() error { return l.error }

// Quiet and ExitCode are for report.
func (logged) Quiet() bool   { return true }
func (logged) ExitCode() int { return 1 }

// addSettingFlags adds a flag for every setting. They are too many for the
// help; --help-config lists them.
func addSettingFlags(flags *pflag.FlagSet) {
	for _, k := range config.Keys() {
		name := strings.TrimPrefix(k.Flag(), "--")
		if strings.ContainsAny(name, ".") || flags.Lookup(name) != nil {
			continue // one of a family of keys: for --set
		}
		flags.String(name, "", k.Help)
		_ = flags.MarkHidden(name) // fails only for a flag that is not there
		_ = flags.SetAnnotation(name, settingName, []string{k.Name})
	}
}

// settingName annotates a flag with the setting that it is for.
const settingName = "setting"

// settingFlags collects the settings that were given as flags of their own.
func settingFlags(flags *pflag.FlagSet, into map[string]string) {
	flags.Visit(func(f *pflag.Flag) {
		if name := f.Annotations[settingName]; len(name) == 1 {
			into[name[0]] = f.Value.String()
		}
	})
}

// tune lets one more thread than processors run Go code, because the log's is
// mostly waiting for the disk; and the collector run when the heap is five times
// what lives in it, since little does: the tree and the watches lie outside.
func tune() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}
