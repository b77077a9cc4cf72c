package main

import (
	"os"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// Every thread gets the short slice, and one that begins afterwards, too.
func TestAskForShortSlices(t *testing.T) {
	if attr, err := unix.SchedGetAttr(0, 0); err != nil || attr.Policy != unix.SCHED_NORMAL || attr.Runtime == 0 {
		t.Skipf("this kernel does not tell the slices of ordinary threads: %+v, %v", attr, err)
	}
	askForShortSlices()
	release := make(chan struct{})
	defer close(release)
	for range 4 { // each on a thread of its own
		locked := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			close(locked)
			<-release
		}()
		<-locked
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		id, err := strconv.Atoi(task.Name())
		if err != nil {
			t.Fatal(err)
		}
		attr, err := unix.SchedGetAttr(id, 0)
		if err != nil {
			continue // it has ended
		}
		if attr.Runtime != uint64(slice) {
			t.Errorf("thread %d has a slice of %d ns, want %d", id, attr.Runtime, slice)
		}
	}
}
