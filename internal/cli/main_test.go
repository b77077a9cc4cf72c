package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"testing"

	"github.com/quollhq/quoll/test/harness"
)

// asCLI makes the test binary be the CLI: tests start it as a process.
const asCLI = "QUOLL_TEST_AS_CLI"

func TestMain(m *testing.M) {
	if os.Getenv(asCLI) != "" {
		os.Exit(mainCLI())
	}
	os.Exit(harness.Main(m))
}

func mainCLI() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	cmd := NewCommand()
	cmd.SetArgs(os.Args[1:])
	err := cmd.ExecuteContext(ctx)
	var code interface{ ExitCode() int }
	var quiet interface{ Quiet() bool }
	if err != nil && !errors.As(err, &quiet) {
		fmt.Fprintln(os.Stderr, err)
	}
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return code.ExitCode()
	}
	return 1
}
