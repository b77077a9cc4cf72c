package queue

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/recipe/internal/contend"
)

// Layout is how messages are named and written, and with it what kind of queue
// it is.
type Layout int

// The layouts.
const (
	// Curator is that of Apache Curator's DistributedQueue: first in, first out.
	Curator Layout = iota
	// CuratorPriority is that of its DistributedPriorityQueue.
	CuratorPriority
	// CuratorDelay is that of its DistributedDelayQueue.
	CuratorDelay
	// Simple is that of its SimpleDistributedQueue, and of ZooKeeper's own
	// recipe: first in, first out.
	Simple
	// Kazoo is that of kazoo's Queue, with priorities from 0 to 999.
	Kazoo
	// KazooLocking is that of kazoo's LockingQueue, with priorities from 0 to
	// 999. The messages are in the child "entries", their locks in "taken".
	KazooLocking
)

// kazooPriority is the one that kazoo gives to messages without.
const kazooPriority = 100

// ErrForeign marks a node of a name or content that the layout does not have: it
// is in a [ForeignError].
var ErrForeign = errors.New("not a message of this layout")

// ForeignError tells which node is no message of the queue's layout. As nobody
// knows what comes after it, nothing is taken while it is there, or, if only its
// content is foreign and there is a queue for dead letters, until it is moved there.
type ForeignError struct {
	// Path of the node.
	Path string
	// Err is [ErrForeign], or has it within.
	Err error
}

// Error names the node.
func (e *ForeignError) Error() string { return fmt.Sprintf("queue: %s: %v", e.Path, e.Err) }

// Unwrap returns what is wrong with it.
func (e *ForeignError) Unwrap() error { return e.Err }

// prefix is the name of a message's node before the number.
func (l Layout) prefix(p put) (string, error) {
	if p.priority != nil && l != CuratorPriority && l != Kazoo && l != KazooLocking {
		return "", fmt.Errorf("%w: the layout has no priorities", client.ErrBadArguments)
	}
	if !p.due.IsZero() && l != CuratorDelay {
		return "", fmt.Errorf("%w: the layout has no delays", client.ErrBadArguments)
	}
	switch l {
	case Curator:
		return "queue-", nil
	case Simple:
		return "qn-", nil
	case CuratorPriority:
		return priorityPrefix(p.priority)
	case CuratorDelay:
		due := p.due.Add(time.Millisecond - time.Nanosecond).UnixMilli() // rounded up: never before
		return fmt.Sprintf("queue-|%08X|", max(0, due)), nil
	case Kazoo, KazooLocking:
		priority := kazooPriority
		if p.priority != nil {
			priority = *p.priority
		}
		if priority < 0 || priority > 999 {
			return "", fmt.Errorf("%w: priority %d is not one of 0 to 999", client.ErrBadArguments, priority)
		}
		return fmt.Sprintf("entry-%03d-", priority), nil
	}
	return "", fmt.Errorf("%w: unknown layout %d", client.ErrBadArguments, l)
}

// priorityPrefix writes a priority so that names sort as numbers do.
func priorityPrefix(p *int) (string, error) {
	var n int
	if p != nil {
		n = *p
	}
	if n < math.MinInt32 || n > math.MaxInt32 {
		return "", fmt.Errorf("%w: priority %d is beyond 32 bits", client.ErrBadArguments, n)
	}
	sign := '1'
	if n < 0 {
		sign = '0'
	}
	return fmt.Sprintf("queue-%c%08X", sign, uint32(int32(n))), nil
}

// entry is a message's node, by its name alone.
type entry struct {
	name   string
	rank   int64 // priority, or milliseconds since 1970 when it is due: lower ones first
	number contend.Number
}

// before tells whether a is delivered before b.
func (a entry) before(b entry) bool {
	if a.rank != b.rank {
		return a.rank < b.rank
	}
	return a.number.Before(b.number)
}

// due is when the message may be delivered.
func (l Layout) due(e entry) time.Time {
	if l == CuratorDelay {
		return time.UnixMilli(e.rank)
	}
	return time.Time{}
}

// parse reads a name. What comes before the number must be what the layout writes
// there, and no more: the names of Curator's layouts begin alike.
func (l Layout) parse(name string) (entry, error) {
	prefix, number, ok := contend.Cut(name)
	e := entry{name: name, number: number}
	if ok {
		e.rank, ok = l.rank(prefix)
	}
	if !ok {
		return entry{}, ErrForeign
	}
	return e, nil
}

// rank reads what the layout writes before the number.
func (l Layout) rank(prefix string) (rank int64, ok bool) {
	switch l {
	case Curator:
		return 0, prefix == "queue-"
	case Simple:
		return 0, prefix == "qn-"
	case CuratorPriority:
		digits, ok := strings.CutPrefix(prefix, "queue-")
		if !ok || len(digits) != 9 || digits[0] != '0' && digits[0] != '1' {
			return 0, false
		}
		n, err := strconv.ParseUint(digits[1:], 16, 32)
		return int64(int32(uint32(n))), err == nil
	case CuratorDelay:
		digits, begins := strings.CutPrefix(prefix, "queue-|")
		digits, ends := strings.CutSuffix(digits, "|")
		n, err := strconv.ParseInt(digits, 16, 64)
		return n, begins && ends && err == nil
	}
	digits, begins := strings.CutPrefix(prefix, "entry-")
	digits, ends := strings.CutSuffix(digits, "-")
	n, err := strconv.ParseUint(digits, 10, 16)
	return int64(n), begins && ends && len(digits) == 3 && err == nil
}

// Named tells whether the name of a node is one that the layout gives.
func (l Layout) Named(name string) bool {
	_, err := l.parse(name)
	return err == nil
}

// The bytes of Curator's layouts: a version, then items, each after its opcode
// and length, then the opcode of the end.
const (
	curatorVersion = 0x00010001
	opcodeItem     = 1
	opcodeEnd      = 2
)

func (l Layout) serialized() bool { return l == Curator || l == CuratorPriority || l == CuratorDelay }

// encode writes the content of one node.
func (l Layout) encode(bodies [][]byte) []byte {
	if !l.serialized() {
		return bodies[0]
	}
	b := binary.BigEndian.AppendUint32(nil, curatorVersion)
	for _, body := range bodies {
		b = append(b, opcodeItem)
		b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
		b = append(b, body...)
	}
	return append(b, opcodeEnd)
}

// decode reads the content of one node.
func (l Layout) decode(data []byte) ([][]byte, error) {
	if !l.serialized() {
		return [][]byte{data}, nil
	}
	if len(data) < 5 || binary.BigEndian.Uint32(data) != curatorVersion {
		return nil, fmt.Errorf("%w: %d bytes that do not start with Curator's version", ErrForeign, len(data))
	}
	var bodies [][]byte
	for data = data[4:]; len(data) >= 5 && data[0] == opcodeItem; {
		n := binary.BigEndian.Uint32(data[1:])
		data = data[5:]
		if uint64(n) > uint64(len(data)) {
			return nil, fmt.Errorf("%w: item of %d bytes, %d are left", ErrForeign, n, len(data))
		}
		bodies = append(bodies, data[:n:n])
		data = data[n:]
	}
	if len(data) != 1 || data[0] != opcodeEnd {
		return nil, fmt.Errorf("%w: no end where it should be", ErrForeign)
	}
	return bodies, nil
}
