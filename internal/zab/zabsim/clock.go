package zabsim

import (
	"container/heap"
	"time"
)

// event is something that happens at a moment of virtual time.
type event struct {
	at    time.Duration
	order uint64 // events of one moment happen in the order in which they were planned
	do    func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push is heap.Interface's.
func (q *events) Push(x any) { *q = append(*q, x.(event)) }

// Pop is heap.Interface's.
func (q *events) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = event{}
	*q = old[:len(old)-1]
	return e
}

// clock is virtual time: it moves from event to event.
type clock struct {
	now   time.Duration
	order uint64
	queue events
}

// after plans do for when d has passed.
func (c *clock) after(d time.Duration, do func()) {
	c.order++
	heap.Push(&c.queue, event{at: c.now + max(d, 0), order: c.order, do: do})
}

// next does what comes next, and tells whether there was anything before end.
func (c *clock) next(end time.Duration) bool {
	if len(c.queue) == 0 || c.queue[0].at > end {
		c.now = max(c.now, end)
		return false
	}
	e := heap.Pop(&c.queue).(event)
	c.now = e.at
	e.do()
	return true
}
