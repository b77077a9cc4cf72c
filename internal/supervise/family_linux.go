package supervise

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// executable is this program, also when its file was replaced or removed since.
func executable() (string, error) { return "/proc/self/exe", nil }

// adopt lets those come to this process whose parents end. It also gives the
// process a name of its own, so that whoever kills all processes of this program's name
// does not kill the guard.
func adopt() {
	const setChildSubreaper = 36 // PR_SET_CHILD_SUBREAPER of <linux/prctl.h>, since Linux 3.4
	_, _, _ = syscall.Syscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0)
	_ = os.WriteFile("/proc/self/comm", []byte("guard"), 0) // which is only for the eye
}

// dyingWithUs has the command killed when this process is.
func dyingWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// descendants are all processes that descend from this one and run, parents before
// children. They are not known if the system does not tell.
func descendants() (all []int, known bool) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, false
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, false
	}
	children := make(map[int][]int)
	running := make(map[int]bool)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if parent, runs, ok := look(pid); ok {
			children[parent] = append(children[parent], pid)
			running[pid] = runs
		}
	}
	if len(running) == 0 { // not even this process is listed
		return nil, false
	}
	for next := children[os.Getpid()]; len(next) > 0; {
		pid := next[0]
		next = append(next[1:], children[pid]...)
		if running[pid] {
			all = append(all, pid)
		}
	}
	return all, true
}

// look tells whose child a process is and whether it has not ended.
func look(pid int) (parent int, runs, ok bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, false, false
	}
	// pid (name) state parent ..., where the name may hold anything
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 2 {
		return 0, false, false
	}
	parent, err = strconv.Atoi(string(fields[1]))
	return parent, !bytes.ContainsAny(fields[0], "ZX"), err == nil
}
