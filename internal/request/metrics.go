package request

import (
	"sync/atomic"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/tally"
)

// opSlots covers every opcode of the protocol, closeSession at its end.
const opSlots = 128

// Metrics are counters of what an Engine did, read at any time.
type Metrics struct {
	Received, Sent                                     atomic.Int64
	ops                                                [opSlots]atomic.Int64
	Reads, Writes                                      tally.Latency // of all requests; see All
	Proposals                                          atomic.Int64
	Commits                                            atomic.Int64
	Batches                                            tally.Sizes   // transactions that share a sync
	SyncTime                                           tally.Latency // whoever syncs the log adds to it
	Propagation                                        tally.Latency // age of transactions when they were applied: by the clock of who made them, and this one
	DigestMismatches                                   atomic.Int64
	Resyncs                                            atomic.Int64 // states that differed, and were taken from a leader
	ResponseBytes                                      atomic.Int64
	WatchBytes                                         atomic.Int64
	Events                                             [5]tally.Sizes // told watchers by event type, NodeCreated to NodeChildrenChanged
	SlowClients                                        atomic.Int64
	ContainersDeleted, TTLCreated, TTLDeleted, Expired atomic.Int64
	responses                                          responseSizes
	namespaces                                         namespaces
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
func (m *Metrics) All() tally.LatencyView {
	return m.Reads.View().Plus(m.Writes.View())
}

// Reset starts all anew, but what clients have read and nobody has asked about.
func (m *Metrics) Reset() {
	m.Received.Store(0)
	m.Sent.Store(0)
	m.Reads.Reset()
	m.Writes.Reset()
	m.SyncTime.Reset()
	m.Propagation.Reset()
	for _, ns := range m.list() {
		ns.Reads.Reset()
		ns.Writes.Reset()
	}
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
