package harness

import (
	"bytes"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// launch starts cmd so that it cannot outlive this process, whatever that ends by. The channel is closed after the
// command has ended; then its state is in cmd.ProcessState.
//
// The kernel ties such a child to the thread that made it, not to the process. One thread therefore makes it and waits
// for its end: a thread of the runtime's own might go before.
func launch(cmd *exec.Cmd) (exited <-chan struct{}, err error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		defer close(ended)
		_ = cmd.Wait() // an exit status is no error here; it is in cmd.ProcessState
	}()
	return ended, <-started
}

// Output runs a program to its end and returns what it printed; the error of one that fails is an [exec.ExitError]. One that
// takes longer than within is killed with all that it has started, which the error says: a script's end is not that of what it
// runs, and who waits for the script's output waits for them all.
func Output(cmd *exec.Cmd, within time.Duration) ([]byte, error) {
	var out bytes.Buffer
	if cmd.Stdout == nil && cmd.Stderr == nil {
		cmd.Stdout, cmd.Stderr = &out, &out
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 10 * time.Second // for those that are in no group of ours
	ended, err := launch(cmd)
	if err != nil {
		return nil, err
	}
	late := false
	for patience := NewPatience(within, time.Second); ; {
		select {
		case <-ended:
		case <-time.After(time.Second):
			if patience.Spent() && !late {
				late = true
				killGroup(cmd)
			}
			continue
		}
		switch {
		case late:
			return out.Bytes(), fmt.Errorf("%s does not end within %v", strings.Join(cmd.Args, " "), within)
		case !cmd.ProcessState.Success():
			return out.Bytes(), &exec.ExitError{ProcessState: cmd.ProcessState}
		}
		return out.Bytes(), nil
	}
}

// Launch starts a program of a test's own, so that it cannot outlive the test's process. The channel is closed after it
// has ended; then its state is in cmd.ProcessState.
func Launch(cmd *exec.Cmd) (exited <-chan struct{}, err error) { return launch(cmd) }
