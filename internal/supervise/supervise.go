// Package supervise runs a command that must not outlive the process that has
// started it, however that ends.
//
// Between the two stands a guard: the same program once more, which [Guard] makes
// out of it. A pipe leads from this process to the guard. It tells when the
// command is to end, and is closed when this process is gone, kill -9 included.
// The guard stays in the process group of both, so that a terminal's keys reach the
// command as if there were no guard, and does not heed them itself.
//
// On Linux the guard adopts whatever the command has started, and ends all of it:
// also what has left the process group, or whose parent has ended. On other systems
// it ends the command alone. If the guard is killed, too, the command dies on
// Linux, and what it has started does not.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Exit codes beside that of the command, as a shell has them.
const (
	cannotRun  = 126
	notFound   = 127
	signalled  = 128         // plus the signal
	outputTime = time.Second // how long output is waited for that is still on its way
)

// What the guard is told, by a byte each. That nobody is there any more to tell it
// says the same as kill.
const (
	terminate = 't' // SIGTERM to all
	kill      = 'k' // SIGKILL to all
)

// guardName is the guard's name among the processes.
const guardName = "quoll-guard"

// Command is a command and how to run it.
type Command struct {
	// Args are the command and its arguments.
	Args []string
	// Env is what the command finds in its environment beside this process's.
	Env    []string
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	// Grace is the time from SIGTERM to SIGKILL.
	Grace time.Duration
}

// Run runs the command until it ends, and returns its exit code: 128 and the
// signal if one has ended it, 127 if there is no such command, 126 if it cannot be
// run; why, Stderr is told. What the command leaves running in the background is
// left alone.
//
// When ctx ends before, the command and what it has started get SIGTERM, and
// SIGKILL after the grace, and Run returns when all have ended. An error is that
// there is no guard, or that ctx has ended already: then the command does not run.
func (c *Command) Run(ctx context.Context) (code int, err error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	path, code := Find(c.Args[0], c.Stderr)
	if code != 0 {
		return code, nil
	}
	self, err := executable()
	if err != nil {
		return 0, err
	}
	told, tell, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer tell.Close()
	guard := &exec.Cmd{
		Path: self, Args: append([]string{guardName, path}, c.Args...), Env: append(os.Environ(), c.Env...),
		Stdin: c.Stdin, Stdout: c.Stdout, Stderr: c.Stderr, ExtraFiles: []*os.File{told}, WaitDelay: outputTime,
	}
	err = guard.Start()
	_ = told.Close() // the guard has its own
	if err != nil {
		return 0, err
	}
	ended := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() { c.tell(ctx, tell, ended) })
	err = guard.Wait()
	close(ended)
	telling.Wait()
	return outcome(guard.ProcessState, err)
}

// shellGrace is the time from SIGTERM to SIGKILL for what [Shell] runs.
const shellGrace = time.Second

// Shell runs a command of the shell as [Command.Run] does. Its output goes to out. It
// fails unless the command exits with 0 before ctx ends.
func Shell(ctx context.Context, command string, env []string, out io.Writer) error {
	c := Command{Args: []string{"sh", "-c", command}, Env: env, Stdout: out, Stderr: out, Grace: shellGrace}
	code, err := c.Run(ctx)
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case code != 0:
		return fmt.Errorf("exit status %d", code)
	}
	return nil
}

// Find finds a command's program. If there is none that can be run, errs is told, and
// code is what [Command.Run] would return.
func Find(command string, errs io.Writer) (path string, code int) {
	path, err := exec.LookPath(command)
	if err == nil {
		return path, 0
	}
	fmt.Fprintf(errs, "quoll: %v\n", err)
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return "", notFound
	}
	return "", cannotRun
}

// tell tells the guard to end the command when ctx ends, unless it has ended.
func (c *Command) tell(ctx context.Context, guard io.Writer, ended <-chan struct{}) {
	select {
	case <-ctx.Done():
	case <-ended:
		return
	}
	_, _ = guard.Write([]byte{terminate}) // a guard that is gone needs no telling
	grace := time.NewTimer(c.Grace)
	defer grace.Stop()
	select {
	case <-grace.C:
		_, _ = guard.Write([]byte{kill})
	case <-ended:
	}
}

// outcome is what the guard says of the command.
func outcome(guard *os.ProcessState, err error) (int, error) {
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		if status, ok := guard.Sys().(syscall.WaitStatus); ok {
			return codeOf(status), nil
		}
		return guard.ExitCode(), nil
	case errors.Is(err, exec.ErrWaitDelay): // the command has ended well, something that it has started has its input
		return 0, nil
	}
	return 0, err
}
