package link

import (
	"testing"

	"github.com/quollhq/quoll/internal/peer/wire"
)

// BenchmarkProposals sends proposals of 150 bytes in groups, as a leader does.
func BenchmarkProposals(b *testing.B) {
	leader, learner := overTCP(b)
	c := leader.conn(0)
	data := make([]byte, 150)
	b.SetBytes(150)
	go func() {
		for i := range b.N {
			c.Append(1, func(b []byte) []byte { return wire.AppendProposal(b, int64(i), data) })
			if i%50 == 49 || i == b.N-1 {
				c.Flush()
			}
			for i%1000 == 0 && c.Queued() > maxQueue {
				if leader.Pace(b.Context()) != nil {
					return
				}
			}
		}
	}()
	for n := 0; n < b.N; {
		n += len(learner.wait())
	}
}
