package bench

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// poller waits for many non-blocking sockets on one thread. The Go runtime's
// own poller would wake a goroutine for each socket; on a machine that the
// load shares with the server that costs more than the requests do.
type poller struct {
	fd     int
	events [256]unix.EpollEvent
	coarse bool // the kernel has no epoll_pwait2: whole milliseconds only
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	return &poller{fd: fd}, nil
}

func (p *poller) close() { unix.Close(p.fd) }

// add starts to watch fd; tag comes back with its events.
func (p *poller) add(fd, tag int, out bool) error { return p.ctl(unix.EPOLL_CTL_ADD, fd, tag, out) }

// modify changes whether room for output is watched for as well.
func (p *poller) modify(fd, tag int, out bool) error { return p.ctl(unix.EPOLL_CTL_MOD, fd, tag, out) }

func (p *poller) remove(fd int) { unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, fd, nil) }

func (p *poller) ctl(op, fd, tag int, out bool) error {
	e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: int32(tag)}
	if out {
		e.Events |= unix.EPOLLOUT
	}
	if err := unix.EpollCtl(p.fd, op, fd, &e); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// wait returns what is ready, after at most d. The result is valid until the
// next call.
func (p *poller) wait(d time.Duration) ([]unix.EpollEvent, error) {
	n, err := p.waitFine(d)
	if err == unix.ENOSYS {
		p.coarse = true
		n, err = p.waitCoarse(d)
	}
	if err == unix.EINTR {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("epoll_wait: %w", err)
	}
	return p.events[:n], nil
}

func (p *poller) waitFine(d time.Duration) (int, error) {
	if p.coarse {
		return p.waitCoarse(d)
	}
	ts := unix.NsecToTimespec(int64(max(d, 0)))
	n, _, e := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])),
		uintptr(len(p.events)), uintptr(unsafe.Pointer(&ts)), 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

// waitCoarse rounds down, so that what is due soon is polled for.
func (p *poller) waitCoarse(d time.Duration) (int, error) {
	return unix.EpollWait(p.fd, p.events[:], int(max(d, 0)/time.Millisecond))
}

// lockThread gives the calling goroutine a thread of its own whose timers are
// not delayed to save power. The returned function undoes the first.
func lockThread() (unlock func()) {
	runtime.LockOSThread()
	// Without it wake-ups are merely less exact.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	return runtime.UnlockOSThread
}

// rawRead and rawWrite are for non-blocking sockets only: they never wait, so
// the scheduler need not hear of them.
func rawRead(fd int, b []byte) (int, syscall.Errno) {
	n, _, e := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), e
}

func rawWrite(fd int, b []byte) (int, syscall.Errno) {
	n, _, e := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), e
}

// detach takes the socket of nc away from the Go runtime. The caller closes it.
func detach(nc net.Conn) (int, error) {
	defer nc.Close()
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return -1, fmt.Errorf("%T has no descriptor", nc)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return -1, err
	}
	var fd int
	var dupErr error
	err = raw.Control(func(old uintptr) {
		fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err == nil {
		err = dupErr
	}
	if err != nil {
		return -1, fmt.Errorf("detach the socket: %w", err)
	}
	return fd, nil
}

// attach gives a copy of a detached socket back to the Go runtime.
func attach(fd int) (net.Conn, error) {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(dup), "socket")
	defer f.Close()
	return net.FileConn(f)
}

func closeFD(fd int) { unix.Close(fd) }
