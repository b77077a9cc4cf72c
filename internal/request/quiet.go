package request

import (
	"context"
	"time"
)

const (
	// quietMost is how many transactions between two looks are little to do.
	quietMost = 100
	// quietLooks is after how many looks in a row it is quiet.
	quietLooks = 2
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
		p := &e.pipe
		if q.look(e.Zxid()) && e.Serving() && p.putOff.CompareAndSwap(true, false) {
			p.early.Store(true)
			e.Snapshots.Due(e.freeze)
		}
	}
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
