package request

import (
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/internal/proto"
)

// opSlots covers every opcode of the protocol, closeSession at its end.
const opSlots = 128

// Metrics are counters of what an Engine did, read at any time.
type Metrics struct {
	Received, Sent                                     atomic.Int64
	ops                                                [opSlots]atomic.Int64
	Reads, Writes                                      Latency // of all requests; see All
	Proposals                                          atomic.Int64
	Commits                                            atomic.Int64
	Batches                                            Sizes // transactions that share a sync
	SyncTime                                           Latency
	DigestMismatches                                   atomic.Int64
	Resyncs                                            atomic.Int64 // states that differed, and were taken from a leader
	ResponseBytes                                      atomic.Int64
	WatchBytes                                         atomic.Int64
	Events                                             [5]Sizes // told watchers by event type, NodeCreated to NodeChildrenChanged
	SlowClients                                        atomic.Int64
	ContainersDeleted, TTLCreated, TTLDeleted, Expired atomic.Int64
	responses                                          responseSizes
}

func slotOf(op proto.Op) int {
	if op == proto.OpCloseSession {
		return opSlots - 1
	}
	if op == proto.OpCreateSession {
		return opSlots - 2
	}
	if op < 0 || op >= opSlots-2 {
		return opSlots - 3
	}
	return int(op)
}

// answered notes n replies to requests of one kind that together are so many
// bytes long.
func (m *Metrics) answered(op proto.Op, n int64, bytes int) {
	m.ops[slotOf(op)].Add(n)
	m.Sent.Add(n)
	m.ResponseBytes.Add(int64(bytes))
}

// All is the latency of all requests, reads and writes.
func (m *Metrics) All() LatencyView {
	return m.Reads.View().Plus(m.Writes.View())
}

// Reset starts anew what the command srst resets.
func (m *Metrics) Reset() {
	m.Received.Store(0)
	m.Sent.Store(0)
	m.Reads.Reset()
	m.Writes.Reset()
	m.SyncTime.Reset()
	m.Batches.Reset()
	m.responses.reset()
	m.ResponseBytes.Store(0)
	m.WatchBytes.Store(0)
	for i := range m.Events {
		m.Events[i].Reset()
	}
	for i := range m.ops {
		m.ops[i].Store(0)
	}
}

// event notes that so many watchers were told of an event, with a frame of the
// given length each.
func (m *Metrics) event(t proto.EventType, told, bytes int) {
	m.Sent.Add(int64(told))
	m.WatchBytes.Add(int64(told * bytes))
	if int(t) > 0 && int(t) < len(m.Events) {
		m.Events[t].Add(int64(told))
	}
}

// Op is the number of requests of this kind so far.
func (m *Metrics) Op(op proto.Op) int64 { return m.ops[slotOf(op)].Load() }

// Latency sums up durations. It is cheap to add to from many goroutines.
type Latency struct {
	count, sum atomic.Int64
	min, max   atomic.Int64 // min holds value+1, 0 for none
	buckets    [latencyBuckets]atomic.Int64
}

// latencyBuckets are powers of two of microseconds, up to half an hour.
const latencyBuckets = 32

// Add notes n times d.
func (l *Latency) Add(n int64, d time.Duration) {
	l.count.Add(n)
	l.sum.Add(n * int64(d))
	spread(&l.min, &l.max, int64(d), int64(d))
	l.buckets[bucketOf(d)].Add(n)
}

func bucketOf(d time.Duration) int {
	b := 0
	for us := uint64(d / time.Microsecond); us > 0 && b < latencyBuckets-1; us >>= 1 {
		b++
	}
	return b
}

// LatencyView is a Latency at one moment.
type LatencyView struct {
	Count         int64
	Sum, Min, Max time.Duration
	// Buckets[i] counts durations below 2^i microseconds that are in no earlier
	// bucket.
	Buckets [latencyBuckets]int64
}

// View reads l.
func (l *Latency) View() LatencyView {
	v := LatencyView{Count: l.count.Load(), Sum: time.Duration(l.sum.Load()), Max: time.Duration(l.max.Load())}
	if m := l.min.Load(); m > 0 {
		v.Min = time.Duration(m - 1)
	}
	for i := range v.Buckets {
		v.Buckets[i] = l.buckets[i].Load()
	}
	return v
}

// Reset starts anew.
func (l *Latency) Reset() {
	l.count.Store(0)
	l.sum.Store(0)
	l.min.Store(0)
	l.max.Store(0)
	for i := range l.buckets {
		l.buckets[i].Store(0)
	}
}
