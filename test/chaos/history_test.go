package chaos

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// kind is what a client did.
type kind string

const (
	create kind = "create"
	set    kind = "set"
	cas    kind = "cas"
	remove kind = "delete"
	read   kind = "read" // linearizable
)

// how says by what a read shall show the present.
type how string

const (
	behindSync how = "a sync, then the read"
	onePiece   how = "client.Linearizable"
	byMember   how = "linearizableReads of the members"
)

// outcome is how it ended.
type outcome string

const (
	done       outcome = "done"
	noNode     outcome = "no such node"
	nodeExists outcome = "node exists"
	badVersion outcome = "bad version"
	unknown    outcome = "unknown"
	nothing    outcome = "not done" // says the client, or the server
)

// input and output are those of one operation on one znode.
type input struct {
	kind    kind
	key     string
	value   string
	version int32 // that cas expects
	how     how   // a read is asked for
}

type output struct {
	outcome outcome
	value   string // that was read
	version int32
}

// register is a znode as clients see it.
type register struct {
	exists  bool
	value   string
	version int32
}

// model says what one znode may do. What has an unknown outcome has no end either: if it never took place, it counts as
// taking place after everything else.
var model = porcupine.Model{
	Init: func() any { return register{} },
	Step: func(state, in, out any) (bool, any) {
		return step(state.(register), in.(input), out.(output))
	},
	Partition: func(history []porcupine.Operation) (parts [][]porcupine.Operation) {
		at := map[string]int{}
		for _, op := range history {
			key := op.Input.(input).key
			i, ok := at[key]
			if !ok {
				i = len(parts)
				at[key], parts = i, append(parts, nil)
			}
			parts[i] = append(parts[i], op)
		}
		return parts
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v: %+v", in, out) },
	DescribeState:     func(state any) string { return fmt.Sprintf("%+v", state) },
}

func step(s register, in input, out output) (bool, register) {
	next, want := s, done
	switch in.kind {
	case create:
		if s.exists {
			want = nodeExists
		} else {
			next = register{true, in.value, 0}
		}
	case set, cas:
		switch {
		case !s.exists:
			want = noNode
		case in.kind == cas && in.version != s.version:
			want = badVersion
		default:
			next = register{true, in.value, s.version + 1}
		}
	case remove:
		if !s.exists {
			want = noNode
		}
		next = register{}
	case read:
		if !s.exists {
			want = noNode
		} else if out.outcome == done && (out.value != s.value || out.version != s.version) {
			return false, s
		}
	}
	if out.outcome == unknown {
		return true, next
	}
	if want == done && (in.kind == set || in.kind == cas) && out.version != next.version {
		return false, s
	}
	return out.outcome == want, next
}

// sighting is a plain read, or the stat of a write: at a time when its client had seen everything up to floor, the
// last change of the znode was mzxid, 0 if it was not there.
type sighting struct {
	key          string
	client       int
	floor, mzxid int64
	plain        bool
}

// history is what all clients saw.
type history struct {
	mu        sync.Mutex
	began     time.Time
	ops       []porcupine.Operation
	sightings []sighting
}

func newHistory() *history { return &history{began: time.Now()} }

func (h *history) now() int64 { return int64(time.Since(h.began)) }

// add records an operation that began at call. Reads without an answer say nothing, nor does what was not done.
func (h *history) add(client int, call int64, in input, out output) {
	end := h.now()
	if out.outcome == nothing {
		return
	}
	if out.outcome == unknown {
		if in.kind == read {
			return
		}
		end = math.MaxInt64
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: in, Call: call, Output: out, Return: end})
}

func (h *history) saw(s sighting) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sightings = append(h.sightings, s)
}

// check fails the test unless the history is what a correct ensemble does. What deletes says true of can be away.
func (h *history) check(t *testing.T, deletes func(key string) bool) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	began := time.Now()
	result, info := porcupine.CheckOperationsVerbose(model, h.ops, max(20*time.Second, *longFlag))
	t.Logf("%s; %s within %v", h.summary(), result, time.Since(began).Round(time.Millisecond))
	switch result {
	case porcupine.Illegal:
		path := "linearizability.html"
		if err := porcupine.VisualizePath(model, info, path); err != nil {
			path = err.Error()
		}
		t.Errorf("the history is not linearizable: see %s\n%s", path, h.illegal())
	case porcupine.Unknown:
		t.Log("porcupine could not decide in time whether the history is linearizable")
	}
	if err := inOrder(h.sightings, deletes); err != nil {
		t.Error(err)
	}
}

// illegal is a part of the history that is not linearizable.
func (h *history) illegal() (text string) {
	for _, part := range model.Partition(h.ops) {
		if porcupine.CheckOperationsTimeout(model, part, 10*time.Second) == porcupine.Illegal {
			slices.SortFunc(part, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
			for _, op := range part {
				text += fmt.Sprintf("client %d [%v, %v] %+v: %+v\n", op.ClientId, time.Duration(op.Call), time.Duration(op.Return), op.Input, op.Output)
			}
			return text
		}
	}
	return ""
}

// summary counts what there is.
func (h *history) summary() string {
	counts := map[string]int{}
	for _, op := range h.ops {
		in := op.Input.(input)
		name := string(in.kind)
		if in.how != "" {
			name += " by " + string(in.how)
		}
		if op.Output.(output).outcome == unknown {
			name += " (unknown)"
		}
		counts[name]++
	}
	plain := 0
	for _, s := range h.sightings {
		if s.plain {
			plain++
		}
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "%s: %d, ", name, counts[name])
	}
	return fmt.Sprintf("%d operations (%splain reads: %d)", len(h.ops), b.String(), plain)
}

// inOrder checks that no client saw a state from before one that it had seen: of each znode the last change that is known
// to lie before what it had seen, or a later one.
func inOrder(all []sighting, deletes func(key string) bool) error {
	changes := map[string][]int64{}
	for _, s := range all {
		if s.mzxid != 0 {
			changes[s.key] = append(changes[s.key], s.mzxid)
		}
	}
	for _, list := range changes {
		slices.Sort(list)
	}
	for _, s := range all {
		if !s.plain || s.mzxid == 0 && deletes(s.key) {
			continue
		}
		list := changes[s.key]
		n, _ := slices.BinarySearch(list, s.floor+1)
		if n > 0 && list[n-1] > s.mzxid {
			return fmt.Errorf("client %d, which had seen all up to 0x%x, read %s as of 0x%x, before its change 0x%x", s.client, s.floor, s.key, s.mzxid, list[n-1])
		}
	}
	return nil
}
