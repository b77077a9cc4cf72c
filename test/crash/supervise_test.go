package crash

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// supervised names the program that this test's binary turns into, under a
// filter that reports its syncs.
const supervised = "CRASH_SUPERVISED"

// superviseSyncs changes cmd so that, before each fdatasync of the program,
// sync is called: the call goes on if it returns 0, and fails with that number
// otherwise. It works by seccomp, without any privilege, and ends with the
// program.
func superviseSyncs(t *testing.T, cmd *exec.Cmd, sync func() syscall.Errno) {
	t.Helper()
	notifies := uint32(unix.SECCOMP_RET_USER_NOTIF)
	if _, _, err := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&notifies))); err != 0 {
		t.Skipf("the kernel cannot be told to fail a sync: %v", err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "theirs")
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Env = append(cmd.Env, supervised+"="+cmd.Path)
	cmd.Path = self
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer unix.Close(pair[0])
		if err := answerSyncs(pair[0], sync); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		theirs.Close()
		<-ended
	})
}

// answerSyncs takes the filter's notifications from whoever comes out of the
// socket, until the program has ended.
func answerSyncs(socket int, sync func() syscall.Errno) error {
	listener, err := receiveListener(socket)
	if err != nil {
		return err
	}
	defer unix.Close(listener)
	for {
		ready := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(ready, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("poll: %w", err)
		}
		switch {
		case ready[0].Revents&unix.POLLIN != 0:
			if err := answerSync(listener, sync); err != nil {
				return err
			}
		case ready[0].Revents != 0: // nobody is left under the filter
			return nil
		}
	}
}

// notification and answer are struct seccomp_notif and seccomp_notif_resp.
type (
	notification struct {
		id         uint64
		pid, flags uint32
		nr         int32
		arch       uint32
		ip         uint64
		args       [6]uint64
	}
	answer struct {
		id    uint64
		value int64
		err   int32
		flags uint32
	}
)

func answerSync(listener int, sync func() syscall.Errno) error {
	var n notification
	if err := notify(listener, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)); err != 0 {
		return gone(err)
	}
	a := answer{id: n.id}
	if errno := sync(); errno != 0 {
		a.err = -int32(errno)
	} else {
		a.flags = 1 // SECCOMP_USER_NOTIF_FLAG_CONTINUE
	}
	return gone(notify(listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&a)))
}

func notify(listener int, request uintptr, arg unsafe.Pointer) syscall.Errno {
	_, _, err := unix.Syscall(unix.SYS_IOCTL, uintptr(listener), request, uintptr(arg))
	return err
}

// gone makes nothing of a caller that is there no more, or that a signal has
// interrupted, who asks again.
func gone(err syscall.Errno) error {
	if err == 0 || err == unix.ENOENT || err == unix.EINTR {
		return nil
	}
	return fmt.Errorf("a notification of seccomp: %w", err)
}

// receiveListener takes the descriptor that sendListener sends.
func receiveListener(socket int) (int, error) {
	why, rights := make([]byte, 256), make([]byte, unix.CmsgSpace(4))
	n, size, _, _, err := unix.Recvmsg(socket, why, rights, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("recvmsg: %w", err)
	}
	messages, err := unix.ParseSocketControlMessage(rights[:size])
	if err != nil || len(messages) != 1 {
		return -1, fmt.Errorf("no filter: %s, %w", why[:n], err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return -1, fmt.Errorf("no descriptor of a filter: %w", err)
	}
	return fds[0], nil
}

// becomeSupervised puts this process under the filter and makes it the program.
// It does not return.
func becomeSupervised(program string) {
	const socket = 3
	runtime.LockOSThread() // the filter is the thread's, and so is what it executes
	unix.CloseOnExec(socket)
	if err := sendListener(socket); err != nil {
		_ = unix.Sendmsg(socket, []byte(err.Error()), nil, nil, 0) // the exit code tells, too
		os.Exit(1)
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, supervised+"=") })
	err := syscall.Exec(program, append([]string{program}, os.Args[1:]...), env)
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func sendListener(socket int) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl: %w", err)
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_FDATASYNC, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	listener, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	return unix.Sendmsg(socket, []byte("ok"), unix.UnixRights(int(listener)), nil, 0)
}
