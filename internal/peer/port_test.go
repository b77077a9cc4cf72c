package peer

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"
)

// A member that ends as soon as it has begun leaves no port open.
func TestPortOfAShortLife(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	newPort("learners", l, func(net.Listener) { t.Error("it is served") }, nil, slog.New(slog.DiscardHandler)).run(ctx)
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("it was open: %v", err)
	}
}
