package main

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// kernelSlack is by how much the kernel lets a thread's sleep be too long, unless it is told otherwise.
	kernelSlack = 50 * time.Microsecond
	// monitorSlack is the same for the monitor of Go's runtime.
	monitorSlack = 4 * time.Millisecond
	// executed is in the environment of a process that has executed itself.
	executed = "QUOLL_EXECUTED"
)

// calmMonitor lets the monitor of Go's runtime sleep for 4 ms at a time. It looks every 20 us (70 with the kernel's
// slack) for threads that have been in a system call since it last looked, to give their right to run Go code to others,
// and less often only when it has found none for a while: in a server that syncs its log, never. In a virtual machine
// each of those wakings is dear: they are a tenth to a fifth of all CPU that members of an ensemble need for writes.
// What the monitor is for suffers little: one more thread than there are processors may run Go code (see tune), in
// place of the one that waits for the disk.
//
// Nothing tells the monitor how long to sleep, but a thread has the timer slack of the one that began it, and a process
// keeps that of the thread that executes a program. The monitor is begun before any code of a program. So the process
// executes itself once more, with that slack and all else as it was, and resumeThreads then gives all threads but the
// monitor their own again. A slack that somebody has chosen stays. Any failure only leaves things as they were.
func calmMonitor() {
	if timerSlack() != kernelSlack {
		return
	}
	self, err := os.Executable()
	if err != nil {
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if setTimerSlack(monitorSlack) != nil {
		return
	}
	_ = syscall.Exec(self, os.Args, append(os.Environ(), executed+"=1")) // comes back with an error only
	_ = setTimerSlack(kernelSlack)
}

// resumeThreads gives the kernel's timer slack to all threads that run goroutines, in a process that calmMonitor has
// executed. It is called before anything else runs: it finds the threads by occupying all of them. Only the monitor
// runs no goroutine (and, in a program with C, the thread that begins others in place of those that C has begun).
// It reports whether this is such a process.
func resumeThreads() bool {
	if _, ok := os.LookupEnv(executed); !ok {
		return false
	}
	_ = os.Unsetenv(executed) // it is nobody else's business
	if timerSlack() != monitorSlack {
		return true // the kernel does not keep it
	}
	const others = 1
	resumed := make(map[int]bool)
	// A thread that was in search of work may be asleep for the monitor's slack before it is found.
	for until := time.Now().Add(monitorSlack * 3 / 2); time.Now().Before(until); time.Sleep(100 * time.Microsecond) {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil || len(threads) <= len(resumed)+others {
			break
		}
		occupy(len(threads), func() {
			_ = setTimerSlack(kernelSlack)
			resumed[unix.Gettid()] = true
		})
	}
	return true
}

// occupy calls do on n threads, one after the other. Each keeps its thread until the last is done, so that no two are on
// one.
func occupy(n int, do func()) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
	var one sync.Mutex
	var missing atomic.Int64
	var ended sync.WaitGroup
	missing.Store(int64(n))
	for range n {
		ended.Go(func() {
			one.Lock()
			do()
			one.Unlock()
			for missing.Add(-1); missing.Load() > 0; {
				nap(20 * time.Microsecond)
			}
		})
	}
	ended.Wait()
}

// nap lets the thread sleep, which the runtime takes for computing: the goroutine stays where it is.
func nap(d time.Duration) {
	t := unix.NsecToTimespec(d.Nanoseconds())
	_, _, _ = unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t)), 0, 0)
}

// timerSlack is the calling thread's; 0 if the kernel does not tell.
func timerSlack() time.Duration {
	ns, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		return 0
	}
	return time.Duration(ns)
}

func setTimerSlack(d time.Duration) error {
	return unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(d), 0, 0, 0)
}
