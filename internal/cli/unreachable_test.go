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
