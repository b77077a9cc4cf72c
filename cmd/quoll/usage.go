package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// Exit codes of commands that say none themselves.
const (
	exitFailure = 1
	exitUsage   = 2 // the command line is wrong, and nothing was done
)

// failure is an error of a command that has begun. What cobra finds wrong before that (commands and flags that there
// are not, numbers of arguments) is none.
type failure struct{ error }

// Unwrap gives the error itself.
func (f failure) Unwrap() error { return f.error }

// markFailures has a command, and those below it, return a failure for each error.
func markFailures(cmd *cobra.Command) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if err := run(cmd, args); err != nil {
				return failure{err}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		markFailures(sub)
	}
}

// wrongUsage tells whether a command was called in a wrong way, other than that it has failed.
func wrongUsage(err error) bool {
	if began := (failure{}); !errors.As(err, &began) {
		return true
	}
	var said interface{ Usage() bool }
	return errors.As(err, &said) && said.Usage()
}
