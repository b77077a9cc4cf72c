//go:build !linux

package socket

import (
	"net"
	"time"
)

// breakUnacked leaves it to the kernel when a connection is given up.
func breakUnacked(*net.TCPConn, time.Duration) error { return nil }
