package zab

import "fmt"

// EpochStart is the zxid that stands for an epoch as a whole: its counter is 0.
func EpochStart(epoch int64) int64 { return epoch << 32 }

// EpochOf is the epoch of a zxid.
func EpochOf(zxid int64) int64 { return zxid >> 32 }

// counterOf is the number of a zxid within its epoch; transactions count from 1.
func counterOf(zxid int64) int64 { return zxid & maxCounter }

// maxCounter is never given to a transaction: before it, a new epoch begins.
const maxCounter = 1<<32 - 1

// follows tells whether next may stand right after prev in a log: the next
// counter of the same epoch, or the first one of a later epoch.
func follows(prev, next int64) bool {
	if EpochOf(prev) == EpochOf(next) {
		return next == prev+1
	}
	return EpochOf(next) > EpochOf(prev) && counterOf(next) == 1
}

func zxidText(zxid int64) string { return fmt.Sprintf("%d:%d", EpochOf(zxid), counterOf(zxid)) }
