package supervise

import (
	"fmt"
	"maps"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Guard makes this process a guard if it was started as one, and then does not
// return. A program that runs commands calls it before anything else.
func Guard() {
	if len(os.Args) < 3 || os.Args[0] != guardName {
		return
	}
	os.Exit(guard(os.Args[1], os.Args[2:]))
}

// control is the descriptor of the pipe from which the guard is told what to do.
const control = 3

// guard runs a command, ends it when it is told to or when nobody is there to
// tell it, and returns its exit code.
func guard(path string, args []string) int {
	syscall.CloseOnExec(control)
	deafen()
	adopt()
	// A death signal comes when the thread dies that has started the command, so
	// that has to stay: this goroutine waits on it.
	runtime.LockOSThread()
	pid, err := syscall.ForkExec(path, args, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}, Sys: dyingWithUs()})
	if err != nil {
		fmt.Fprintf(os.Stderr, "quoll: %s: %v\n", path, err)
		return cannotRun
	}
	f := &family{command: pid, told: make(map[int]bool)}
	go f.obey(os.NewFile(control, "control")) // until this process ends
	return f.wait()
}

// deafen takes the signals that a whole process group gets, unless they are
// ignored already: a signal that is taken is the default again for the command,
// one that is ignored stays so.
func deafen() {
	var all []os.Signal
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGTSTP, syscall.SIGUSR1, syscall.SIGUSR2} {
		if !signal.Ignored(s) {
			all = append(all, s)
		}
	}
	if len(all) > 0 { // none would stand for all there are
		signal.Notify(make(chan os.Signal, 1), all...) // what does not fit is dropped
	}
}

// family is the command and what it has started.
type family struct {
	ending atomic.Bool  // the guard was told to end it
	told   map[int]bool // who is not to get SIGTERM again; of the goroutine that obeys

	mu      sync.Mutex
	command int // its process id; 0 when it has ended and the id may be another's
}

// wait returns the command's exit code when it has ended: after it was told to,
// when all that it has started have ended, too.
func (f *family) wait() (code int) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil: // nobody is left
			return code
		case f.ended(pid):
			if code = codeOf(status); !f.ending.Load() {
				return code
			}
		}
	}
}

// ended takes note that a process has, and tells whether it was the command.
func (f *family) ended(pid int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if pid != f.command {
		return false
	}
	f.command = 0
	return true
}

// obey does what the guard is told.
func (f *family) obey(from *os.File) {
	word := make([]byte, 1)
	for {
		n, err := from.Read(word)
		f.ending.Store(true)
		if n == 1 && err == nil && word[0] == terminate {
			f.terminate()
			continue
		}
		// Again and again, for those that are being started meanwhile, and for those
		// that may not be killed now.
		for pause := 5 * time.Millisecond; ; pause = min(2*pause, time.Second) {
			signalAll(syscall.SIGKILL, f.members())
			time.Sleep(pause)
		}
	}
}

// terminate sends SIGTERM to each once, also to those that are being started
// meanwhile. It gives up on those that start others faster than it looks: there is
// more that the guard may be told.
func (f *family) terminate() {
	for range 100 {
		some := f.untold(f.members())
		if len(some) == 0 {
			return
		}
		signalAll(syscall.SIGTERM, some)
	}
}

// untold are those of all, parents before children, that are to get SIGTERM now. Whoever
// was started by one that had got it before is left to that one: it may be what cleans up.
func (f *family) untold(all []process) (some []process) {
	before := maps.Clone(f.told)
	for _, p := range all {
		switch {
		case f.told[p.id]:
		case before[p.parent]:
			before[p.id], f.told[p.id] = true, true
		default:
			f.told[p.id] = true
			some = append(some, p)
		}
	}
	return some
}

// process is a member of the family.
type process struct{ id, parent int }

// members are the command, if it has not ended, and all that are known to descend
// from it, parents before children.
func (f *family) members() []process {
	if all, known := descendants(procDir); known {
		return all
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.command == 0 {
		return nil
	}
	return []process{{id: f.command}}
}

// signalAll sends a signal to each, of which some may have ended meanwhile, and some
// may belong to another user.
func signalAll(s syscall.Signal, some []process) {
	for _, p := range some {
		_ = syscall.Kill(p.id, s)
	}
}

// codeOf is the exit code that a shell gives for a status.
func codeOf(status syscall.WaitStatus) int {
	if status.Signaled() {
		return signalled + int(status.Signal())
	}
	return status.ExitStatus()
}
