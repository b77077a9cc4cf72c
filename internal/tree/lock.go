package tree

import (
	"sync"
	"sync/atomic"
)

// lock is for many short readers and a writer that must not wait long. A reader
// counts itself in the slot that it chose, which costs one atomic instruction
// on memory that readers of other slots do not touch, and sees that no writer
// is there. A writer says that it is there once for all slots, then waits for
// those that are in.
//
// A mutex of the library for each slot would make the writer wait for one slot
// after the other, with readers coming into the later ones meanwhile.
type lock struct {
	writing atomic.Bool
	_       [64]byte
	slots   [lockSlots]lockSlot
	gate    sync.RWMutex  // held by the writer; readers that found it there wait here
	left    chan struct{} // a reader was the last in its slot while a writer was there
}

// lockSlots is how many slots readers are spread over.
const lockSlots = 16

type lockSlot struct {
	readers atomic.Int32
	_       [124]byte
}

// spins is how often a writer looks at a slot before it goes to sleep. A reader
// that runs is out within a microsecond; one that the scheduler has stopped
// takes long.
const spins = 200

// RLock lets others read, but not apply, until RUnlock with the same slot.
// Readers with different slots do not slow each other down.
func (t *Tree) RLock(slot uint32) {
	s := &t.lock.slots[slot%lockSlots]
	s.readers.Add(1)
	if t.lock.writing.Load() {
		t.lock.wait(s)
	}
}

// RUnlock ends what RLock with the same slot began.
func (t *Tree) RUnlock(slot uint32) {
	if t.lock.slots[slot%lockSlots].readers.Add(-1) == 0 && t.lock.writing.Load() {
		t.lock.wake()
	}
}

// wait takes a reader out of its slot again, and in once the writer is gone.
func (l *lock) wait(s *lockSlot) {
	if s.readers.Add(-1) == 0 {
		l.wake()
	}
	// Behind the gate no writer can come until the reader is counted.
	l.gate.RLock()
	s.readers.Add(1)
	l.gate.RUnlock()
}

// wake makes a sleeping writer look again.
func (l *lock) wake() {
	select {
	case l.left <- struct{}{}:
	default: // it will look in any case
	}
}

// Lock keeps everybody else out until Unlock.
func (t *Tree) Lock() {
	l := &t.lock
	l.gate.Lock()
	l.writing.Store(true)
	for i := range l.slots {
		l.slots[i].drain(l.left)
	}
}

// Unlock ends what Lock began.
func (t *Tree) Unlock() {
	t.lock.writing.Store(false)
	t.lock.gate.Unlock()
}

// drain waits until no reader is in the slot. Whoever leaves as the last one
// after writing was set signals left; an old signal only makes it look once
// more.
func (s *lockSlot) drain(left <-chan struct{}) {
	for range spins {
		if s.readers.Load() == 0 {
			return
		}
	}
	for s.readers.Load() != 0 {
		<-left
	}
}
