package peer

import (
	"github.com/quollhq/quoll/internal/failpoint"
	"github.com/quollhq/quoll/internal/zab"
)

// The failpoints that depend on what happens; the others stand where it does. "" is none.

// sendPoint is the one before a message is sent.
func sendPoint(t zab.Type) failpoint.Point {
	switch t {
	case zab.Diff:
		return failpoint.SyncDiff
	case zab.Snap:
		return failpoint.SyncSnap
	case zab.UpToDate:
		return failpoint.SyncUpToDate
	}
	return ""
}

// statePoint is the one when a member has become something.
func statePoint(s zab.State) failpoint.Point {
	switch s {
	case zab.Looking:
		return failpoint.ElectionLooking
	case zab.Leading:
		return failpoint.ElectionLeading
	}
	return failpoint.ElectionFollow
}

// writePoint is the one before something is written.
func writePoint(k zab.WriteKind) failpoint.Point {
	switch k {
	case zab.WriteAppend:
		return failpoint.Append
	case zab.WriteCurrent:
		return failpoint.SyncNewLeader
	case zab.WriteTruncate:
		return failpoint.SyncTrunc
	case zab.WriteSnapshot:
		return failpoint.StateInstall
	}
	return ""
}
