package harness

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
)

// freePort returns a port of 127.0.0.1 that nobody listens on. It lies below the range that the kernel takes for
// outgoing connections: a client that retries while its server is down could otherwise be given the server's own port
// as its source, connect to itself, and keep the server from coming back.
func freePort() (int, error) {
	for range 100 {
		port := 10_000 + rand.IntN(ephemeralStart()-10_000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, fmt.Errorf("no free port on 127.0.0.1")
}

// ephemeralStart is the lowest port that the kernel chooses by itself.
func ephemeralStart() int {
	const usual = 32768
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return usual
	}
	var low int
	if _, err := fmt.Sscan(string(b), &low); err != nil || low <= 11_000 {
		return usual
	}
	return low
}
