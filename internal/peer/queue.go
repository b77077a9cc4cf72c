package peer

import "sync"

// queue is a queue that never makes those wait who put something in. What bounds it is the budget.
type queue[T any] struct {
	mu     sync.Mutex
	items  []T
	closed bool
	// wake has a token when there is something to take.
	wake chan struct{}
}

func newQueue[T any]() *queue[T] { return &queue[T]{wake: make(chan struct{}, 1)} }

func (q *queue[T]) push(items ...T) {
	q.mu.Lock()
	q.items = append(q.items, items...)
	q.mu.Unlock()
	q.signal()
}

func (q *queue[T]) signal() {
	select {
	case q.wake <- struct{}{}:
	default: // it is awake
	}
}

// take is all that is there.
func (q *queue[T]) take() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	q.items = nil
	return items
}

// wait is take once there is something; nil when the queue was closed and is empty.
func (q *queue[T]) wait() []T {
	for {
		q.mu.Lock()
		items, closed := q.items, q.closed
		q.items = nil
		q.mu.Unlock()
		if len(items) > 0 || closed {
			return items
		}
		<-q.wake
	}
}

// close lets wait end when all was taken.
func (q *queue[T]) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}

// budget bounds the bytes of transactions that wait for the disk or the machine.
type budget struct {
	mu    sync.Mutex
	limit int
	used  int
	free  chan struct{} // closed when there is room again; nil if nobody waits
}

func (b *budget) add(n int) {
	b.mu.Lock()
	b.used += n
	b.mu.Unlock()
}

func (b *budget) sub(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	if b.free != nil && b.used <= b.limit {
		close(b.free)
		b.free = nil
	}
}

// full is closed when there is room again; nil if there is.
func (b *budget) full() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used <= b.limit {
		return nil
	}
	if b.free == nil {
		b.free = make(chan struct{})
	}
	return b.free
}
