package functions

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/internal/cli"
)

// explain lets a command, and those below it, say how they are used when they are
// used wrongly.
func explain(cmd *cobra.Command) *cobra.Command {
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w\nTry: %s --help", err, cmd.CommandPath())
	})
	if cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = group
	}
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return wrongArguments(cmd, err)
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		explain(sub)
	}
	return cmd
}

// group is what a command does that only holds others.
func group(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	return cli.Misuse(fmt.Errorf("%s has no command %q\nTry: %s --help", cmd.CommandPath(), args[0], cmd.CommandPath()))
}

// notNegative fails if one of the flags, which are times, is below zero.
func notNegative(cmd *cobra.Command, flags ...string) error {
	for _, name := range flags {
		if t, err := cmd.Flags().GetDuration(name); err != nil || t < 0 {
			return cli.Misuse(errors.Join(err, fmt.Errorf("--%s wants a time, not %v", name, t)))
		}
	}
	return nil
}

// idle fails if one of the flags is set, of which each has a meaning only with
// what is said by with, which is not there.
func idle(cmd *cobra.Command, with string, flags ...string) error {
	for _, name := range flags {
		if cmd.Flags().Changed(name) {
			return cli.Misuse(fmt.Errorf("--%s has no meaning without %s\nUsage: %s", name, with, cmd.UseLine()))
		}
	}
	return nil
}

// wrongArguments says how a command is used, and why it was not so.
func wrongArguments(cmd *cobra.Command, err error) error {
	if err != nil {
		return cli.Misuse(fmt.Errorf("wrong arguments: %w\nUsage: %s", err, cmd.UseLine()))
	}
	return cli.Misuse(fmt.Errorf("wrong arguments\nUsage: %s", cmd.UseLine()))
}
