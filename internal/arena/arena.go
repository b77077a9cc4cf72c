// Package arena hands out memory for what comes in order and is forgotten in order, as
// transactions are: pieces that are used again stay in the processor's caches, where new
// memory for each batch passes through all of a heap between two collections.
package arena

import "sync"

const (
	// Piece is how many bytes are used again at once.
	Piece = 128 << 10
	// most is from how many bytes on what is asked for lies in no piece: too much of one
	// would stay empty.
	most = Piece / 2
	// spares is how many pieces are kept that nobody reads.
	spares = 8
)

// Arena hands out parts of pieces, one behind the other. The zero value is ready. Room and
// Drop are for one goroutine at a time, Free is for any.
type Arena struct {
	piece []byte // in use; its length is what was handed out

	mu   sync.Mutex
	free [][]byte
}

// Room is n bytes of memory, empty. filled, if not nil, is a piece of which nothing will be
// handed out any more: Free makes it ready to be used again, once nobody reads anything of
// it. Who cannot say when that is leaves it to the collector.
func (a *Arena) Room(n int) (room, filled []byte) {
	if n >= most {
		return make([]byte, 0, n), nil
	}
	from := len(a.piece)
	if from+n > cap(a.piece) {
		filled = a.piece
		a.piece, from = a.take(), 0
	}
	a.piece = a.piece[:from+n]
	return a.piece[from : from : from+n], filled
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

// Free takes back a filled piece. Programs that look for their own mistakes overwrite it,
// so that whoever still reads it meets nonsense.
func (a *Arena) Free(filled []byte) {
	if cap(filled) != Piece {
		return
	}
	if watchful {
		spoil(filled[:Piece])
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.free) < spares {
		a.free = append(a.free, filled[:0])
	}
}

func spoil(piece []byte) {
	for i := range piece {
		piece[i] = 0xdb
	}
}
