package peer

// kept are pieces of memory that transactions lie in, until nobody reads them any more: not the disk, not the machine, and
// not a learner that comes back, for whom zab keeps the youngest. What is sent is copied at once. A change of the role
// leaves all to the collector, for what is on its way then may never get there.
type kept struct {
	pieces          []piece // in order of last
	stored, applied int64   // the last transactions with which disk and machine are done
}

// piece is one of them.
type piece struct {
	last   int64 // the last transaction that lies in it
	memory []byte
	free   func(memory []byte)
}

func (k *kept) add(last int64, memory []byte, free func(memory []byte)) {
	k.pieces = append(k.pieces, piece{last, memory, free})
}

// release gives back what is read no more. forgotten is the last transaction that zab does not keep.
func (k *kept) release(forgotten int64) {
	upto := min(k.stored, k.applied, forgotten)
	for len(k.pieces) > 0 && k.pieces[0].last <= upto {
		k.pieces[0].free(k.pieces[0].memory)
		k.pieces[0] = piece{}
		k.pieces = k.pieces[1:]
	}
}
