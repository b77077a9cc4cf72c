//go:build !unix

package server

import "net"

// setBacklog has no way to change what the system chose.
func setBacklog(net.Listener, int) {}
