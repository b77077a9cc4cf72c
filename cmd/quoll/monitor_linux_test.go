package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// monitorVariable says that this process is to do what a server does when it begins, and to tell about its threads.
const monitorVariable = "QUOLL_TEST_MONITOR"

// begun is how many threads there are at least when this process tells about them.
const begun = 16

func TestMain(m *testing.M) {
	if os.Getenv(monitorVariable) == "" {
		os.Exit(m.Run())
	}
	resumed := resumeThreads()
	if !resumed {
		calmMonitor() // does not come back, if it may
	}
	fmt.Print(tellThreads(resumed, os.Args[1:]))
}

// After calmMonitor one thread sleeps for long, the runtime's monitor; the process has its arguments.
func TestCalmMonitor(t *testing.T) {
	if slack := timerSlack(); slack != kernelSlack {
		t.Skipf("the timer slack of this process is %v already", slack)
	}
	cmd := exec.Command(os.Args[0], "an argument", "another")
	cmd.Env = append(os.Environ(), monitorVariable+"=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "not permitted") {
		t.Skip(string(out))
	}
	var threads, long int
	want := "executed anew with [an argument another]: %d threads, %d sleep for long"
	// One is the monitor; one more begins threads in place of those that C has begun; under load some may be missed.
	if _, err := fmt.Sscanf(string(out), want, &threads, &long); err != nil || threads <= begun || long < 1 || long > threads/2 {
		t.Errorf("%s want %s: more than %d, and less than half of them; %v", out, want, begun, err)
	}
}

// tellThreads looks at all threads, and some that begin only now.
func tellThreads(resumed bool, args []string) string {
	if !resumed {
		return "the process was not permitted to execute itself anew\n"
	}
	occupy(begun, func() {})
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err.Error()
	}
	long := 0
	for _, thread := range threads {
		switch ns, err := os.ReadFile("/proc/" + thread.Name() + "/timerslack_ns"); {
		case errors.Is(err, os.ErrPermission):
			return "to read other threads' slack is not permitted\n"
		case err == nil && strings.TrimSpace(string(ns)) != fmt.Sprint(kernelSlack.Nanoseconds()):
			long++
		}
	}
	return fmt.Sprintf("executed anew with %v: %d threads, %d sleep for long\n", args, len(threads), long)
}
