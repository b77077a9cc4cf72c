package harness

import (
	"os/exec"
	"runtime"
	"syscall"
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

// Launch starts a program of a test's own, so that it cannot outlive the test's process. The channel is closed after it
// has ended; then its state is in cmd.ProcessState.
func Launch(cmd *exec.Cmd) (exited <-chan struct{}, err error) { return launch(cmd) }
