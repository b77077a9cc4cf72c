package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/servertest"
	"github.com/quollhq/quoll/recipe/counter"
	"github.com/quollhq/quoll/recipe/queue"
)

func TestAllIsDone(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c := servertest.Dial(t, server)
	jobs, err := queue.New(c, "/examples/jobs")
	if err != nil {
		t.Fatal(err)
	}
	const n = 20
	for i := range n {
		if err := jobs.Put(ctx, fmt.Append(nil, "job ", i)); err != nil {
			t.Fatal(err)
		}
	}
	in, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error)
	for i := range 3 {
		go func() { ended <- run(in, server, fmt.Sprint("worker-", i), io.Discard) }()
	}
	done, err := counter.New(c, "/examples/done")
	if err != nil {
		t.Fatal(err)
	}
	for v, err := range done.Watch(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if v.N == n {
			break
		}
	}
	stop()
	for range 3 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
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
