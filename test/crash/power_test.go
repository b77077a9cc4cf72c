package crash

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/request"
	"github.com/quollhq/quoll/internal/sim"
)

var powerStep = flag.Int("crash.step", 3, "every how many disk operations the power is lost")

// steps is how many changes a run makes; every change makes one znode.
const steps = 300

// change is the i-th change of a client: a znode of its own, alone, beside a
// refused request, or in a multi that also sets a common one.
func change(i int) request.Request {
	path := fmt.Sprintf("/n%04d", i)
	if i == 0 {
		path = "/common"
	}
	create := request.Request{Xid: int32(i), Op: proto.OpCreate, Body: createBody(path, i)}
	if i%3 != 2 {
		return create
	}
	body := append(proto.MultiHeader{Type: proto.OpCreate, Err: -1}.Append(nil), create.Body...)
	body = append(proto.MultiHeader{Type: proto.OpSetData, Err: -1}.Append(body), setBody("/common", i)...)
	return request.Request{Xid: int32(i), Op: proto.OpMulti, Body: proto.AppendMultiEnd(body)}
}

func createBody(path string, i int) []byte {
	b := jute.AppendString(nil, path)
	b = jute.AppendBuffer(b, make([]byte, i*37%700))
	b = proto.AppendACLs(b, proto.OpenACL())
	return jute.AppendInt(b, proto.FlagPersistent)
}

func setBody(path string, i int) []byte {
	b := jute.AppendString(nil, path)
	b = jute.AppendString(b, fmt.Sprint(i))
	return jute.AppendInt(b, -1)
}

// has tells how many changes a tree has, and that it has no part of more.
func (m *machine) has() (int, error) {
	m.tree.RLock(0)
	defer m.tree.RUnlock(0)
	n := 0
	if m.tree.Find("/common") != 0 {
		n++
	}
	common := ""
	for ; n > 0 && m.tree.Find(fmt.Sprintf("/n%04d", n)) != 0; n++ {
		if n%3 == 2 {
			common = fmt.Sprint(n)
		}
	}
	for i := n + 1; i <= steps; i++ {
		if m.tree.Find(fmt.Sprintf("/n%04d", i)) != 0 {
			return n, fmt.Errorf("change %d is there, but not change %d", i, n)
		}
	}
	if n == 0 {
		return 0, nil
	}
	if got := string(m.tree.Data(m.tree.Find("/common"))); got != common {
		return n, fmt.Errorf("with %d changes the common znode holds %q, want %q", n, got, common)
	}
	return n, nil
}

// TestPowerLossAtEveryDiskOperation runs a whole server, but for its network,
// on a simulated disk, loses power at the k-th operation on it, and starts
// again from what is left, until the server is never interrupted: everything
// acknowledged is there, nothing is there by half, in no other order, and every
// digest is right.
func TestPowerLossAtEveryDiskOperation(t *testing.T) {
	for k := 0; ; k += *powerStep {
		rng := rand.New(rand.NewPCG(*seed, uint64(k)))
		disk := sim.NewDisk()
		acked := 0
		uninterrupted := false
		limit := k
		for life := range int64(4) {
			disk.SetFault(func(op sim.Op) error {
				if op.N >= limit {
					return sim.ErrPower
				}
				return nil
			})
			var err error
			acked, err = live(disk, life+1, acked, rng)
			if err != nil && !errors.Is(err, sim.ErrPower) {
				t.Fatalf("power loss at disk operation %d, life %d, seed %d: %v", k, life, *seed, err)
			}
			if life == 0 {
				uninterrupted = err == nil
			}
			disk.Crash(rng)
			limit = disk.Ops() + rng.IntN(k+1) // the lives after the first end anywhere
		}
		if uninterrupted {
			t.Logf("%d disk operations", k)
			return
		}
	}
}

// live boots, looks what is there, and goes on from it until the power is lost
// or all is done. Returned is how many changes were acknowledged.
func live(disk *sim.Disk, id int64, acked int, rng *rand.Rand) (int, error) {
	m, err := boot(disk)
	defer m.stop()
	if err != nil {
		return acked, err
	}
	n, err := m.has()
	if err != nil {
		return acked, err
	}
	if n < acked {
		return acked, fmt.Errorf("%d changes are there, %d were acknowledged", n, acked)
	}
	acked = n // what is served counts as much as what was acknowledged
	if err := m.start(id << 40); err != nil {
		return acked, m.lost(err)
	}
	for acked < steps {
		batch := min(1+rng.IntN(6), steps-acked)
		var reqs []request.Request
		for i := range batch {
			reqs = append(reqs, change(acked+i))
		}
		if err := m.engine.Submit(m.client, reqs); err != nil {
			return acked, m.lost(err)
		}
		for range batch {
			h, err := m.await()
			if err != nil {
				return acked, err
			}
			if h.Err != proto.OK || h.Xid != int32(acked) {
				return acked, fmt.Errorf("change %d was answered %+v", acked, h)
			}
			acked++
		}
	}
	return acked, nil
}

// await is the next reply, or why there is none.
func (m *machine) await() (proto.ReplyHeader, error) {
	for {
		if h, ok := m.inbox.reply(); ok {
			return h, nil
		}
		select {
		case <-m.inbox.more:
		case <-m.failed:
			if h, ok := m.inbox.reply(); ok {
				return h, nil
			}
			return proto.ReplyHeader{}, m.engine.Err()
		}
	}
}

// lost is why the engine has failed, if it has, else err.
func (m *machine) lost(err error) error {
	if cause := m.engine.Err(); cause != nil {
		return cause
	}
	return err
}
