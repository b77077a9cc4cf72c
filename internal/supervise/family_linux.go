package supervise

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// executable is this program, also when its file was replaced or removed since.
func executable() (string, error) { return "/proc/self/exe", nil }

// adopt lets those come to this process whose parents end. It also gives the
// process a name of its own, so that whoever kills all processes of this program's name
// does not kill the guard.
func adopt() {
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	_ = os.WriteFile("/proc/self/comm", []byte("guard"), 0) // which is only for the eye
}

// dyingWithUs has the command killed when this process is.
func dyingWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// procDir tells of all processes.
const procDir = "/proc"

// descendants are all processes that descend from this one and run, parents before
// children. They are not known if the system does not tell, or tells of a namespace
// in which this process has another id.
func descendants(proc string) (all []process, known bool) {
	self, err := os.Readlink(filepath.Join(proc, "self"))
	if err != nil || self != strconv.Itoa(os.Getpid()) {
		return nil, false
	}
	dir, err := os.Open(proc)
	if err != nil {
		return nil, false
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, false
	}
	children := make(map[int][]process)
	running := make(map[int]bool)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if parent, runs, ok := look(proc, pid); ok {
			children[parent] = append(children[parent], process{pid, parent})
			running[pid] = runs
		}
	}
	for next := children[os.Getpid()]; len(next) > 0; {
		p := next[0]
		next = append(next[1:], children[p.id]...)
		if running[p.id] {
			all = append(all, p)
		}
	}
	return all, true
}

// look tells whose child a process is and whether it has not ended.
func look(proc string, pid int) (parent int, runs, ok bool) {
	text, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "stat"))
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
