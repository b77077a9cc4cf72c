package listener

import (
	"os"
	"sync"
	"syscall"
)

// hangups finds out which clients have stopped sending, for connections that
// leave the end of their input unread (see readRaw). The runtime's poller does
// not tell the end of input from input; this epoll instance waits for nothing
// but that end, so that neither requests nor replies cost a system call more.
type hangups struct {
	mu     sync.Mutex
	poll   *os.File        // the epoll instance, nil before the first connection
	conns  map[int64]*conn // by serial number
	closed bool
}

// watch has the connection told when its client stops sending, or has done so
// already. It is false when that cannot be.
func (h *hangups) watch(c *conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.poll == nil && !h.open(c.l) {
		return false
	}
	h.conns[c.serial] = c
	ok := false
	c.raw.Control(func(fd uintptr) {
		// Once is enough; the serial number comes back in the two halves.
		e := syscall.EpollEvent{
			Events: syscall.EPOLLRDHUP | syscall.EPOLLONESHOT, Fd: int32(c.serial), Pad: int32(c.serial >> 32),
		}
		ok = h.control(func(poll int) error { return syscall.EpollCtl(poll, syscall.EPOLL_CTL_ADD, int(fd), &e) })
	})
	return ok
}

// forget ends what watch began. Closing the socket takes it off the instance.
func (h *hangups) forget(c *conn) {
	h.mu.Lock()
	delete(h.conns, c.serial)
	h.mu.Unlock()
}

func (h *hangups) open(l *Listener) bool {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err == nil {
		err = syscall.SetNonblock(fd, true)
	}
	if err != nil {
		l.Logger.Warn("cannot watch for clients that stop sending: reading costs more", "error", err)
		return false
	}
	// An epoll instance can be waited for as a file can.
	h.poll, h.conns = os.NewFile(uintptr(fd), "epoll"), make(map[int64]*conn)
	l.wg.Go(h.run)
	return true
}

// control calls f with the instance's descriptor, and tells whether that went
// well.
func (h *hangups) control(f func(poll int) error) bool {
	rc, err := h.poll.SyscallConn()
	if err != nil {
		return false
	}
	var failed error
	err = rc.Control(func(poll uintptr) { failed = f(int(poll)) })
	return err == nil && failed == nil
}

// run tells connections until close.
func (h *hangups) run() {
	rc, err := h.poll.SyscallConn()
	if err != nil {
		return
	}
	var events [64]syscall.EpollEvent
	rc.Read(func(poll uintptr) bool {
		for {
			n, err := syscall.EpollWait(int(poll), events[:], 0)
			if err == syscall.EINTR {
				continue
			}
			if n <= 0 {
				return err != nil
			}
			for i := range events[:n] {
				h.tell(int64(uint32(events[i].Fd)) | int64(events[i].Pad)<<32)
			}
		}
	})
}

func (h *hangups) tell(serial int64) {
	h.mu.Lock()
	c := h.conns[serial]
	h.mu.Unlock()
	if c != nil {
		c.ending.Store(true)
		c.sock.SetReadDeadline(past) // wakes it if it waits for input
	}
}

// close ends run.
func (h *hangups) close() {
	h.mu.Lock()
	h.closed = true
	poll := h.poll
	h.mu.Unlock()
	if poll != nil {
		poll.Close() // waits for run, which may wait for the lock
	}
}
