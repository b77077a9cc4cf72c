//go:build unix

package server

import (
	"net"
	"syscall"
)

// setBacklog says how many connections may wait to be accepted. A socket that
// listens already takes a new number; one that does not keeps the system's.
func setBacklog(sock net.Listener, n int) {
	sc, ok := sock.(syscall.Conn)
	if !ok {
		return
	}
	if raw, err := sc.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { syscall.Listen(int(fd), n) })
	}
}
