package peer_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/peer/peertest"
)

// BenchmarkPropose lets three members on one machine agree on batches, of which a few are under way at a time.
func BenchmarkPropose(b *testing.B) {
	for _, size := range []int{1, 100} {
		b.Run(map[int]string{1: "alone", 100: "by the hundred"}[size], func(b *testing.B) {
			e := newEnsemble(b, 3, 0)
			e.start(1, 2, 3)
			leader := e.leader()
			next := leader.Role.NextZxid
			data := make([]byte, 100)
			before := cpu()
			began := time.Now()
			b.ResetTimer()
			done := 0
			for done < b.N {
				if err := leader.Peer.Propose(context.Background(), peertest.Creates(next, size, data)); err != nil {
					b.Fatal(err)
				}
				next += int64(size)
				done += size
				behind := next - int64(10*size)
				leader.Await("the one before", func() bool { return leader.Zxid >= behind })
			}
			leader.Await("the last", func() bool { return leader.Zxid == next-1 })
			b.StopTimer()
			b.ReportMetric(float64(done)/time.Since(began).Seconds(), "txn/s")
			b.ReportMetric(float64((cpu()-before).Microseconds())/float64(done), "cpu-us/txn")
		})
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
