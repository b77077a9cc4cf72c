package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// NewCommand makes `quoll cli`. When a command of it has failed, its error is
// an [ExitError]: everything has been printed, and the process is to end with
// its code.
func NewCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cli [options] [command [arguments]]",
		Short: "Work with the tree: zkCli.sh's commands, and more",
		Long: `Do one command, or without one start a shell.

Commands, options and output are those of Apache's zkCli.sh. Options come before
the command and may have one or two hyphens:

  -server LIST      host:port[,host:port...][/chroot]; default QUOLL_SERVER of
                    the environment, or localhost:2181
  -timeout MS       session time-out; default 30000
  -r                go on with a server that only reads
  -waitforconnection
                    wait for the connection before the command
  -client-configuration FILE
                    properties for TLS and SASL, as for Apache's client
  -auth SCHEME:AUTH authenticate every session, as -auth digest:bob:password; may be
                    given several times
  -l                make all reads linearizable: confirmed by a quorum
  -o text|json      form of the output; default text

CLIENT_JVMFLAGS may hold the same properties as -Dname=value.

Commands:
` + helpIndex(commands()),
		Example: `  quoll cli ls /
  quoll cli -server zk1:2181,zk2:2181 create /my-service x
  quoll cli -o json get -s /my-service
  quoll cli export /my-service > backup.json
  quoll cli help create
  quoll cli`,
		DisableFlagParsing: true,
		SilenceUsage:       true,
		SilenceErrors:      true,
		ValidArgsFunction:  completeArgs,
		RunE:               run,
	}
	return cmd
}

func run(cmd *cobra.Command, args []string) error {
	o, err := parseInvocation(args)
	if err != nil {
		return wrongInvocation(cmd, err)
	}
	if o.help {
		return cmd.Help()
	}
	p := &printer{out: cmd.OutOrStdout(), err: cmd.ErrOrStderr(), json: o.json}
	config, err := o.connectConfig(p)
	if err != nil {
		return wrongInvocation(cmd, err)
	}
	sh := newShell(config, p)
	if code := sh.run(cmd.Context(), o.command, cmd.InOrStdin()); code != 0 {
		return &ExitError{code}
	}
	return nil
}

func wrongInvocation(cmd *cobra.Command, err error) error {
	fmt.Fprintf(cmd.ErrOrStderr(), "%s\nTry: quoll cli --help\n", message(err))
	return &ExitError{exitCode(err)}
}

// run does one command, or reads commands from in, and returns the exit code.
func (sh *shell) run(ctx context.Context, words []string, in io.Reader) int {
	if len(words) > 0 && sh.withoutServer(words[0]) {
		sh.execute(ctx, words)
		return sh.code
	}
	if len(words) > 0 {
		sh.stdin = in
		if c := sh.find(words[0]); c != nil && c.quiet {
			sh.watches = false
		}
	}
	if sh.watches {
		sh.say("Connecting to %s", sh.config.servers)
	}
	if err := sh.connect(ctx, sh.config.servers); err != nil {
		sh.fail(err)
		sh.code = exitCode(err)
	} else if len(words) > 0 {
		sh.execute(ctx, words)
		// Apache's CLI tells of the end of a session only after quit.
		sh.muteEvents()
	} else {
		sh.read(ctx, in)
		if !sh.done {
			sh.muteEvents()
		}
	}
	if err := sh.disconnect(); err != nil && sh.code == 0 {
		sh.fail(err)
		sh.code = exitFailure
	}
	return sh.code
}

// withoutServer tells whether a command given to the process needs no
// connection to be tried.
func (sh *shell) withoutServer(name string) bool { return name == "help" || name == "version" }

// read does the commands that come in.
func (sh *shell) read(ctx context.Context, in io.Reader) {
	sh.say("Welcome to ZooKeeper!")
	sh.say("JLine support is enabled")
	sh.greet(ctx)
	var err error
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) && !sh.json {
		err = sh.readTerminal(ctx, f)
	} else {
		err = sh.readLines(ctx, in)
	}
	if err != nil && !errors.Is(err, io.EOF) && ctx.Err() == nil {
		sh.fail(fmt.Errorf("reading commands: %w", err))
		sh.code = exitFailure
	}
}

// completeArgs completes the words of `quoll cli` in a user's shell.
func completeArgs(cmd *cobra.Command, args []string, last string) ([]string, cobra.ShellCompDirective) {
	o, err := parseInvocation(args)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if len(o.command) == 0 {
		names := namesWith(commands(), last)
		if strings.HasPrefix(last, "-") {
			for _, f := range invocationFlags {
				names = append(names, "-"+f)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	if !strings.HasPrefix(last, "/") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	p := &printer{out: io.Discard, err: io.Discard}
	config, err := o.connectConfig(p)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return completeRemote(cmd.Context(), config, last), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
