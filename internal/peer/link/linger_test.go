package link

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/quollhq/quoll/internal/peer/wire"
)

// What is sent before the end arrives, though the other side goes on sending.
func TestFinishWhileTheOtherSideSends(t *testing.T) {
	leader, learner := overTCP(t)
	there, here := leader.conn(0), learner.conn(0)
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-here.Done():
				return
			default:
				if here.Queued() > 1<<16 {
					continue
				}
				say(here, func(b []byte) []byte { return wire.AppendProposal(b, 1, make([]byte, 1000)) })
			}
		}
	}()
	defer func() { close(stop); <-stopped }()
	leader.wait()
	const n = 1000
	for i := range n {
		there.Append(1, func(b []byte) []byte { return wire.AppendCommit(b, 2*int64(i)) })
	}
	there.Finish()
	got := 0
	for got < n {
		got += len(learner.wait())
	}
	<-here.Done()
	if got != n {
		t.Errorf("%d packets, want %d", got, n)
	}
	if err := context.Cause(here.ctx); !errors.Is(err, io.EOF) {
		t.Errorf("the connection ended with %v", err)
	}
}
