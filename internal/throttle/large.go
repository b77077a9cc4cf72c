package throttle

import "sync/atomic"

// LargeOptions bound the memory that large requests take.
type LargeOptions struct {
	Threshold int64 // bytes; a longer request is large; negative: none is
	MaxBytes  int64 // of all large requests together
}

// Large counts the bytes of the large requests that are in the server.
type Large struct {
	o     LargeOptions
	bytes atomic.Int64
}

// NewLarge returns the count of no requests.
func NewLarge(o LargeOptions) *Large { return &Large{o: o} }

func (l *Large) large(n int) bool { return l.o.Threshold >= 0 && int64(n) > l.o.Threshold }

// Room tells whether Take would let a request of n bytes in.
func (l *Large) Room(n int) bool { return !l.large(n) || l.bytes.Load()+int64(n) <= l.o.MaxBytes }

// Take lets a request of n bytes in, if ok. If it is a large one, it is counted
// and Done has to give it back.
func (l *Large) Take(n int) (counted, ok bool) {
	if !l.large(n) {
		return false, true
	}
	if l.bytes.Add(int64(n)) > l.o.MaxBytes {
		l.bytes.Add(-int64(n))
		return false, false
	}
	return true, true
}

// Done gives n bytes back.
func (l *Large) Done(n int) { l.bytes.Add(-int64(n)) }

// Bytes is how much is counted.
func (l *Large) Bytes() int64 { return l.bytes.Load() }
