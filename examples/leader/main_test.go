package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/servertest"
)

// instance is one program.
type instance struct {
	lines *bufio.Scanner
	stop  context.CancelFunc
	ended chan error
}

func start(t *testing.T, server, id string) *instance {
	ctx, cancel := context.WithCancel(servertest.Context(t))
	r, w := io.Pipe()
	i := &instance{bufio.NewScanner(r), cancel, make(chan error, 1)}
	go func() { i.ended <- errors.Join(run(ctx, server, id, w), w.Close()) }()
	return i
}

func (i *instance) want(t *testing.T, line string) {
	t.Helper()
	if !i.lines.Scan() || i.lines.Text() != line {
		t.Fatalf("%q, want %q", i.lines.Text(), line)
	}
}

func TestTakesOver(t *testing.T) {
	server := servertest.Start(t)
	one := start(t, server, "one")
	one.want(t, "leading")
	two := start(t, server, "two")
	for _, i := range []*instance{one, two} {
		if i == two {
			i.want(t, "leading")
		}
		i.stop()
		i.want(t, "leading no more")
		if err := <-i.ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

// Who starts it without a server is told what to do, and does not wait.
func TestNoServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	err = run(servertest.Context(t), closed, "one", io.Discard)
	if err == nil || !strings.Contains(err.Error(), "no server is reached at "+closed+": start one (go run ./cmd/quoll server)") {
		t.Error(err)
	}
}
