package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"time"
)

const defaultPort = "2181"

// parseServers takes apart "host:port,host:port/chroot". A port may be left
// out (2181); an IPv6 address with a port stands in brackets.
func parseServers(list string) (servers []string, chroot string, err error) {
	if i := strings.IndexByte(list, '/'); i >= 0 {
		list, chroot = list[:i], list[i:]
		if err := ValidatePath(chroot); err != nil {
			return nil, "", fmt.Errorf("servers %q: chroot: %w", list+chroot, err)
		}
		if chroot == "/" {
			chroot = ""
		}
	}
	for s := range strings.SplitSeq(list, ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		host, port, err := splitHostPort(s)
		if err != nil {
			return nil, "", fmt.Errorf("servers %q: %w", list, err)
		}
		servers = append(servers, net.JoinHostPort(host, port))
	}
	if len(servers) == 0 {
		return nil, "", fmt.Errorf("servers %q: no server named", list)
	}
	return servers, chroot, nil
}

func splitHostPort(s string) (host, port string, err error) {
	if strings.ContainsAny(s, " \t\r\n") {
		return "", "", fmt.Errorf("%q: white space in the name of a server; servers are separated by commas", s)
	}
	bare := strings.Trim(s, "[]")
	if net.ParseIP(bare) != nil || !strings.Contains(s, ":") {
		return bare, defaultPort, nil
	}
	host, port, err = net.SplitHostPort(s)
	if err != nil {
		return "", "", err
	}
	if port == "" {
		port = defaultPort
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", "", fmt.Errorf("%q: port %q is not one of 1 to 65535", s, port)
	}
	return host, port, nil
}

// rotation hands out servers one after the other. It belongs to the goroutine
// that connects.
type rotation struct {
	servers []string
	next    int
	// tried counts servers handed out since the last good connection.
	tried int
}

func newRotation(servers []string, keepOrder bool) *rotation {
	if !keepOrder {
		rand.Shuffle(len(servers), func(i, j int) { servers[i], servers[j] = servers[j], servers[i] })
	}
	return &rotation{servers: servers}
}

func (r *rotation) take() string {
	s := r.servers[r.next]
	r.next = (r.next + 1) % len(r.servers)
	r.tried++
	return s
}

// round tells whether every server has been tried in vain.
func (r *rotation) round() bool { return r.tried > 0 && r.tried%len(r.servers) == 0 }

// prefer makes s the next one.
func (r *rotation) prefer(s string) {
	for i := range r.servers {
		if r.servers[i] == s {
			r.next = i
		}
	}
}

// pauseAfter is how long to wait after n servers in vain of a list of the
// given length: nothing within the first round, then 100 ms, doubled with each
// round up to 1 s, of which a random half to the whole.
func pauseAfter(n, servers int) time.Duration {
	rounds := n / servers
	if rounds == 0 {
		return 0
	}
	d := min(time.Second, 100*time.Millisecond<<min(rounds-1, 10))
	return d/2 + rand.N(d/2+1)
}

// openConn connects to one server, with TLS if configured.
func (o *options) openConn(ctx context.Context, server string) (net.Conn, error) {
	conn, err := o.openPlain(ctx, server)
	if err != nil || o.tls == nil {
		return conn, err
	}
	config := o.tls
	if config.ServerName == "" && !config.InsecureSkipVerify {
		host, _, err := net.SplitHostPort(server)
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		config = config.Clone()
		config.ServerName = host
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("tls: %w", err)
	}
	return secure, nil
}

func (o *options) openPlain(ctx context.Context, server string) (net.Conn, error) {
	if o.dial != nil {
		return o.dial(ctx, "tcp", server)
	}
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		return nil, err
	}
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil, err
	}
	rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	var dialer net.Dialer
	var failed error
	for _, addr := range addrs {
		conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(addr, port))
		if err == nil {
			return conn, nil
		}
		failed = errors.Join(failed, err)
	}
	return nil, failed
}
