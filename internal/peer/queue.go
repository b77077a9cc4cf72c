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
	q.add(items...)
	q.signal()
}

// add is push for those who see to it that it is taken.
func (q *queue[T]) add(items ...T) {
	q.mu.Lock()
	q.items = append(q.items, items...)
	q.mu.Unlock()
}

func (q *queue[T]) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.items) == 0
}

// nudge signals if there is something to take.
func (q *queue[T]) nudge() {
	if !q.empty() {
		q.signal()
	}
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

// takeIf is take if ok says so of what is there.
func (q *queue[T]) takeIf(ok func([]T) bool) []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !ok(q.items) {
		return nil
	}
	items := q.items
	q.items = nil
	return items
}

// await waits until there is something; it is false when the queue was closed and is empty.
func (q *queue[T]) await() bool {
	for {
		q.mu.Lock()
		some, closed := len(q.items) > 0, q.closed
		q.mu.Unlock()
		if some || closed {
			return some
		}
		<-q.wake
	}
}

// close lets await end when all was taken.
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
