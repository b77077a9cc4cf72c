// Package arena hands out memory for what comes in order and is forgotten in order, as
// transactions are: pieces that are used again stay in the processor's caches, where new
// memory for each batch passes through all of a heap between two collections.
package arena

import "sync"

const (
	// Piece is how many bytes are used again at once.
	Piece = 128 << 10
	// spares is how many pieces are kept that nobody reads: what is forgotten at once may be
	// half of all that was kept.
	spares = 32
)

// Arena hands out parts of pieces, one behind the other. The zero value is ready. Copy and
// Drop are for one goroutine at a time, Free is for any.
type Arena struct {
	piece []byte // in use; its length is what was handed out

	mu   sync.Mutex
	free [][]byte
}

// Copy is a copy of b, with room for as many bytes behind it as room says, unless it is long
// and b has no such room itself.
// filled, if not nil, is a piece in which nothing will lie that is copied from now on: Free
// makes it ready to be used again, once nobody reads anything of it. Who cannot say when that
// is leaves it to the collector.
func (a *Arena) Copy(b []byte, room int) (copied, filled []byte) {
	n := len(b) + room
	if n > Piece {
		return append([]byte(nil), b[:min(n, cap(b))]...)[:len(b)], nil // memory that is not cleared before
	}
	from := len(a.piece)
	if from+n > cap(a.piece) {
		filled = a.piece
		a.piece, from = a.take(), 0
	}
	a.piece = a.piece[:from+n]
	return append(a.piece[from:from:from+n], b...), filled
}

// Drop leaves the piece in use to the collector.
func (a *Arena) Drop() { a.piece = nil }

func (a *Arena) take() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := len(a.free) - 1; n >= 0 {
		piece := a.free[n]
		a.free = a.free[:n]
		return piece
	}
	return make([]byte, 0, Piece)
}

// Free takes back a filled piece. Whoever still reads it meets nonsense in programs that look
// for that (Spoil).
func (a *Arena) Free(filled []byte) {
	if cap(filled) != Piece {
		return
	}
	Spoil(filled)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.free) < spares {
		a.free = append(a.free, filled[:0])
	}
}

// Spoil overwrites memory that is used again, in programs that look for their own mistakes: of others it is left as it is.
func Spoil(memory []byte) {
	if !watchful {
		return
	}
	memory = memory[:cap(memory)]
	for i := range memory {
		memory[i] = 0xdb
	}
}
