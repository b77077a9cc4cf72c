package listener

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// TestRepliesInOrder sends random runs of reads and writes without waiting for
// their replies, which must come in order and show the client's own writes.
func TestRepliesInOrder(t *testing.T) {
	w := newWorld(t, nil)
	w.client().must(proto.OpCreate, createBody("/own", "", 0))
	var wg sync.WaitGroup
	for i := range 6 {
		p := w.client()
		path := "/own/" + strconv.Itoa(i)
		wg.Add(1)
		go func() {
			defer wg.Done()
			p.script(path, rand.New(rand.NewPCG(uint64(i), 7)))
		}()
	}
	wg.Wait()
}

// script is one client of TestRepliesInOrder with a znode of its own.
func (p *peer) script(path string, r *rand.Rand) {
	const rounds = 1500
	type want struct {
		op   proto.Op
		data string
	}
	wants := make(chan want, rounds+1)
	go func() {
		defer close(wants)
		data := "start"
		b := message(1, proto.OpCreate, createBody(path, data, 0))
		wants <- want{proto.OpCreate, ""}
		for xid := int32(2); xid <= rounds; xid++ {
			switch r.IntN(6) {
			case 0, 1:
				data = fmt.Sprint("v", xid)
				b = append(b, message(xid, proto.OpSetData, setBody(path, data, -1))...)
				wants <- want{proto.OpSetData, ""}
			case 2:
				b = append(b, message(xid, proto.OpSetData, setBody(path, "refused", 1<<30))...)
				wants <- want{proto.OpError, ""}
			case 3:
				b = append(b, message(proto.XidPing, proto.OpPing, nil)...)
				xid--
				wants <- want{proto.OpPing, ""}
			default:
				b = append(b, message(xid, proto.OpGetData, readBody(path, false))...)
				wants <- want{proto.OpGetData, data}
			}
			if r.IntN(10) == 0 {
				if _, err := p.Write(b); err != nil {
					p.t.Error(err)
					return
				}
				b = b[:0]
			}
		}
		p.Write(b)
	}()
	xid, zxid := int32(0), int64(0)
	for want := range wants {
		b, err := readFrame(p)
		if err != nil {
			p.t.Error(err)
			return
		}
		d := jute.NewDecoder(b)
		var h proto.ReplyHeader
		h.Decode(&d)
		code := proto.OK
		if want.op == proto.OpError {
			code = proto.BadVersion
		}
		expect := proto.XidPing
		if want.op != proto.OpPing {
			xid++
			expect = xid
		}
		if h.Xid != expect || h.Err != code || h.Zxid < zxid {
			p.t.Errorf("%v: %+v, want xid %d and code %v, not before 0x%x", want, h, expect, code, zxid)
			return
		}
		zxid = h.Zxid
		if want.op == proto.OpGetData {
			if data := string(d.Buffer()); data != want.data {
				p.t.Errorf("read %q, want %q", data, want.data)
				return
			}
		}
	}
}

// TestEventsComeFirst has clients watch, read and write the same znodes and
// looks at the order of what each of them is sent: an event of a transaction
// comes before any reply of that transaction or a later one, and zxids never
// go back. Every change of a znode under a recursive watch is told.
func TestEventsComeFirst(t *testing.T) {
	w := newWorld(t, nil)
	const znodes, clients, rounds = 5, 8, 400
	first := w.client()
	first.must(proto.OpCreate, createBody("/ev", "", 0))
	for i := range znodes {
		first.must(proto.OpCreate, createBody(fmt.Sprint("/ev/", i), "0", 0))
	}
	var wg sync.WaitGroup
	for i := range clients {
		p := w.client()
		if i%2 == 0 {
			p.must(proto.OpAddWatch, jute.AppendInt(jute.AppendString(nil, "/ev"), proto.WatchPersistentRecursive))
		}
		wg.Add(2)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewPCG(uint64(i), 3))
			for xid := range int32(rounds) {
				path := fmt.Sprint("/ev/", r.IntN(znodes))
				m := message(xid, proto.OpGetData, readBody(path, i%2 == 1))
				if r.IntN(3) == 0 {
					m = message(xid, proto.OpSetData, setBody(path, fmt.Sprint(i, "-", xid), -1))
				}
				if _, err := p.Write(m); err != nil {
					t.Error(err)
					return
				}
			}
		}()
		go func() {
			defer wg.Done()
			p.judge(rounds, i%2 == 0)
		}()
	}
	wg.Wait()
}

// judge reads until it has so many replies, or finds them out of order.
func (p *peer) judge(replies int, recursive bool) {
	var last int64             // zxid of the last frame of any kind
	told := map[string]int64{} // the last event of each path
	for n := 0; n < replies; {
		b, err := readFrame(p)
		if err != nil {
			p.t.Error(err)
			return
		}
		d := jute.NewDecoder(b)
		var h proto.ReplyHeader
		h.Decode(&d)
		if h.Xid == proto.XidNotification {
			var e proto.WatcherEvent
			if e.Decode(&d); h.Zxid <= last && told[e.Path] >= h.Zxid || h.Zxid < last {
				p.t.Errorf("event %+v of 0x%x after 0x%x", e, h.Zxid, last)
				return
			}
			told[e.Path], last = h.Zxid, h.Zxid
			continue
		}
		n++
		if h.Err != 0 || h.Zxid < last || h.Xid != int32(n-1) {
			p.t.Errorf("reply %d: %+v after 0x%x", n, h, last)
			return
		}
		last = h.Zxid
		if len(d.Rest()) == proto.StatLen { // of a write
			continue
		}
		d.Buffer()
		var st proto.Stat
		st.Decode(&d)
		if st.Mzxid > h.Zxid {
			p.t.Errorf("reply %+v shows %+v", h, st)
			return
		}
	}
}

// TestNoEffectBeforeItsEvent checks the data itself: who reads a version has
// got the event of the change that made it.
func TestNoEffectBeforeItsEvent(t *testing.T) {
	w := newWorld(t, nil)
	writer, reader := w.client(), w.client()
	writer.must(proto.OpCreate, createBody("/v", "", 0))
	reader.must(proto.OpAddWatch, jute.AppendInt(jute.AppendString(nil, "/v"), proto.WatchPersistent))
	const rounds = 1000
	var wg sync.WaitGroup
	wg.Add(2)
	go func() {
		defer wg.Done()
		for xid := range int32(rounds) {
			if _, err := writer.Write(message(xid, proto.OpSetData, setBody("/v", "", -1))); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	go func() {
		defer wg.Done()
		for range rounds {
			if _, err := readFrame(writer); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	events := int32(0)
	for events < rounds {
		xid := reader.post(proto.OpGetData, readBody("/v", false))
		for {
			h, d := reader.reply()
			if h.Xid == proto.XidNotification {
				events++
				continue
			}
			d.Buffer()
			var st proto.Stat
			if st.Decode(&d); h.Xid != xid || st.Version != events {
				t.Fatalf("reply %+v shows version %d after %d events", h, st.Version, events)
			}
			break
		}
	}
	wg.Wait()
}
