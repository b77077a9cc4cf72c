package request

import (
	"context"
	"time"

	"github.com/quollhq/quoll/internal/failpoint"
)

const (
	// quietMost is how many transactions between two looks are little to do.
	quietMost = 100
	// quietLooks is after how many looks in a row it is quiet.
	quietLooks = 2
)

// What becomes of a snapshot that is due by count, and not worth while under load.
const (
	notPutOff int32 = iota // there is none
	putOff                 // it is written when it is quiet
	early                  // that was done, and the writer has the next one to plan
)

// RunQuiet looks again and again whether there is little to do, until ctx is done. A
// snapshot that is due by count, and was put off because the log is not long enough to be
// worth one under load, is written then: it is in nobody's way, and the next start is faster.
func (e *Engine) RunQuiet(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for q := (quiet{}); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if q.look(e.Zxid()) && e.pipe.putOff.Load() == putOff {
			e.Snapshots.Due(e.freezePutOff)
		}
	}
}

// freezePutOff is freeze, unless there is nothing to be written any more: the member rests and
// may be given another state, it has been given one, or what it has differs from its leader's.
func (e *Engine) freezePutOff() (Frozen, bool) {
	failpoint.Pass(failpoint.Freeze)
	e.Tree.Lock()
	defer e.Tree.Unlock()
	if !e.Serving() || e.ReadsOnly() || !e.pipe.putOff.CompareAndSwap(putOff, early) {
		return Frozen{}, false
	}
	return e.freezeLocked(), true
}

// quiet finds out whether there is little to do.
type quiet struct {
	zxid  int64 // at the last look
	looks int   // in a row with little to do
}

func (q *quiet) look(zxid int64) bool {
	n := zxid - q.zxid
	q.zxid = zxid
	if q.looks++; n < 0 || n > quietMost {
		q.looks = 0
	}
	return q.looks >= quietLooks
}
