package cli

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/quollhq/quoll/client"
)

// unreachable says what the attempts to connect have failed with that err tells
// of, a line each, and what can be done. It is empty for other errors.
func unreachable(err error) string {
	if code, ok := codeOf(err); !ok || code != client.ErrConnectionLoss {
		return ""
	}
	return lines(whyLost(err), advice(err))
}

// whyLost is what an ErrConnectionLoss wraps.
func whyLost(err error) string {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(next) {
		if !errors.Is(next, client.ErrConnectionLoss) {
			return next.Error()
		}
	}
	return ""
}

// advice is what to do when no server could be reached, or nothing. What a server that runs did counts for more than that
// another one is away.
func advice(err error) string {
	var name *net.DNSError
	var op *net.OpError // and not the context that a caller waits with
	switch {
	case hangsUp(err):
		return "A server hangs up on clients when it has no quorum, is starting, only leads (leaderServes=no), was removed from the ensemble, has too many connections (maxClientCnxns), or does not " +
			"speak TLS as the client does (--client-configuration). Its log says which, and so does /readyz?verbose at its admin port."
	case errors.Is(err, client.ErrMalformed):
		return "What answers there is no ZooKeeper server, or wants TLS."
	case errors.As(err, &name):
		return "Name the servers by --server or the variable " + serversVariable + ", as host:port,host:port."
	case errors.Is(err, syscall.ECONNREFUSED):
		return "Nothing listens there. Start a server (quoll server), or name another one by --server or the variable " + serversVariable + "."
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &op) && op.Timeout():
		return "Nobody answers there: the machine is down, a firewall lets nothing through, or the server stands still."
	}
	return ""
}

// hangsUp tells whether there is a server that lets no client in.
func hangsUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// lines puts what is not empty on lines of its own.
func lines(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		if p != "" && b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p)
	}
	return b.String()
}
