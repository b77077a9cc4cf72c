package slab

import "sync"

// ahead is memory that the system is asked for before it is needed. The first
// touch of a huge page waits until the system has found and cleared 2 MiB,
// which takes from a tenth of a millisecond to some milliseconds (in a virtual
// machine whose host must find them, too); whoever allocates would keep all
// readers waiting meanwhile. So a goroutine touches what comes next: the first
// half of a chunk while the one before fills its second half, and the second
// half once the chunk is in use.
//
// It belongs to the Slab's caller, but for the memory that the goroutines touch.
type ahead struct {
	next     []byte         // a chunk that is mapped and not in use; nil: none
	touching sync.WaitGroup // of what next or the newest chunk holds
}

// aheadFrom is how many chunks are taken as they are needed: a small tree shall
// take no more than it holds.
const aheadFrom = 2

// take gives the chunk that was mapped before, nil if there is none, and has the
// rest of it touched.
func (a *ahead) take() []byte {
	mem := a.next
	if a.next = nil; mem != nil {
		a.touch(mem[len(mem)/2:])
	}
	return mem
}

// prepare maps the next chunk and has its first half touched. A system that has
// no memory left says so when the chunk is needed.
func (a *ahead) prepare() {
	mem, err := mapMemory(chunkSize)
	if err != nil {
		return
	}
	a.next = mem
	a.touch(mem[:len(mem)/2])
}

func (a *ahead) touch(mem []byte) { a.touching.Go(func() { populate(mem) }) }

// rest waits until nothing is touched any more: before memory is given back.
func (a *ahead) rest() { a.touching.Wait() }

// close gives back what was not needed.
func (a *ahead) close() {
	a.rest()
	if a.next != nil {
		unmapMemory(a.next)
		a.next = nil
	}
}
