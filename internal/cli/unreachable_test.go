package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/quollhq/quoll/client"
)

func TestAdvice(t *testing.T) {
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	refused := dial(os.NewSyscallError("connect", syscall.ECONNREFUSED))
	waited := func(err error) error {
		return fmt.Errorf("%w; last attempt: %w", context.DeadlineExceeded, err)
	}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{refused, "Nothing listens there"},
		{waited(refused), "Nothing listens there"},
		{errors.Join(refused, fmt.Errorf("open a session at b: %w", io.EOF)), "A server hangs up"},
		{dial(os.ErrDeadlineExceeded), "Nobody answers there"},
		{dial(&net.DNSError{Err: "no such host", Name: "zk1"}), "Name the servers"},
		{fmt.Errorf("handshake: %w", client.ErrMalformed), "no ZooKeeper server"},
		{waited(errors.New("certificate signed by unknown authority")), ""},
	} {
		if got := advice(tt.err); got != tt.want && (tt.want == "" || !strings.Contains(got, tt.want)) {
			t.Errorf("%v: %q", tt.err, got)
		}
	}
	if got := unreachable(client.ErrNoNode); got != "" {
		t.Errorf("a node that is missing: %q", got)
	}
}

// TestWhyBad finds what is wrong with a change of the members, and nothing wrong with one that can be made.
func TestWhyBad(t *testing.T) {
	const now = "server.1=a:1:2:participant;3\nserver.2=b:1:2:participant;3\nserver.3=c:1:2:participant;3\nversion=100000000"
	for _, tt := range []struct {
		change client.Reconfiguration
		want   string
	}{
		{client.Reconfiguration{Joining: "server.4=d:1:2;3"}, ""},
		{client.Reconfiguration{Joining: "server.4=d:1:2"}, "three ports"},
		{client.Reconfiguration{Joining: "server.4=b:1:2;3"}, "which has an address of server.2"},
		{client.Reconfiguration{Leaving: "1,x"}, `found "x", want the number of a member`},
		{client.Reconfiguration{Leaving: "1,2"}, "found 1 participants, want at least 2"},
		{client.Reconfiguration{Members: "server.1=a:1"}, "server.1"},
	} {
		if got := whyBad([]byte(now), tt.change); got != tt.want && (tt.want == "" || !strings.Contains(got, tt.want)) {
			t.Errorf("%+v: %q, want %q", tt.change, got, tt.want)
		}
	}
	err := &advised{client.ErrNoAuth, "what to do"}
	if got := lines(message(err), unreachable(err), adviceIn(err)); got != "Insufficient permission : null\nwhat to do" {
		t.Errorf("printed %q", got)
	}
}
