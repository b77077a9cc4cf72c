package wire

import "encoding/binary"

// Whole tells whether Next would come back without waiting: a whole packet has arrived, or something that Next refuses.
func (r *Reader) Whole() bool {
	if r.err != nil {
		return true
	}
	if _, size := r.plain(); size > 0 {
		return true
	}
	w := walk{rest: r.buf[r.start:r.end], limit: r.limit}
	w.skip(packetHead - 4)
	w.field()
	identities := w.number()
	if identities > r.limit/minAuth {
		w.refused = true
	}
	for i := 0; i < 2*identities && !w.over(); i++ {
		w.field()
	}
	return !w.short
}

// walk goes over what has arrived until that ends, or has a length that is refused.
type walk struct {
	rest           []byte
	limit          int
	short, refused bool
}

func (w *walk) over() bool { return w.short || w.refused }

func (w *walk) skip(n int) {
	switch {
	case w.over():
	case len(w.rest) < n:
		w.short = true
	default:
		w.rest = w.rest[n:]
	}
}

func (w *walk) number() int {
	if w.over() || len(w.rest) < 4 {
		w.skip(4)
		return 0
	}
	n := int(int32(binary.BigEndian.Uint32(w.rest)))
	w.skip(4)
	return n
}

// field goes over a length and what it announces.
func (w *walk) field() {
	n := w.number()
	if n < -1 || n > w.limit {
		w.refused = true
		return
	}
	w.skip(max(n, 0))
}
