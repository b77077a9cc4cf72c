package client

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/quollhq/quoll/internal/proto"
)

// setWatches reads one packet of watches set again.
func (fc *fakeConn) setWatches(op proto.Op) proto.SetWatches {
	fc.t.Helper()
	h, d := fc.request(op)
	if h.Xid != proto.XidSetWatches {
		fc.t.Errorf("xid %d", h.Xid)
	}
	var sw proto.SetWatches
	sw.Decode(&d, op)
	if d.Err() != nil || d.Len() != 0 {
		fc.t.Errorf("setWatches: %v, %d bytes left", d.Err(), d.Len())
	}
	return sw
}

func TestWatchesSetAgain(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		set := func(op proto.Op, code proto.Code, body []byte, f func()) {
			done := async(func() bool { f(); return true })
			fc.answer(op, 10, code, body)
			<-done
		}
		var data, exist, child <-chan Event
		var w *Watch
		set(proto.OpGetData, proto.OK, getReply(""), func() { _, _, data, _ = c.GetW(t.Context(), "/data") })
		set(proto.OpExists, proto.NoNode, nil, func() { _, _, exist, _ = c.ExistsW(t.Context(), "/exist") })
		set(proto.OpGetChildren2, proto.OK, (&proto.Stat{}).Append([]byte{0, 0, 0, 0}), func() { _, _, child, _ = c.ChildrenW(t.Context(), "/child") })
		fc.Close()

		fc, _ = f.accept()
		sw := fc.setWatches(proto.OpSetWatches)
		if sw.RelativeZxid != 10 || !sortedEqual(sw.Data, []string{"/data"}) || !sortedEqual(sw.Exist, []string{"/exist"}) || !sortedEqual(sw.Child, []string{"/child"}) {
			t.Errorf("watches %+v", sw)
		}
		fc.event(proto.EventNodeDataChanged, "/data", 11)
		fc.event(proto.EventNodeCreated, "/exist", 11)
		fc.event(proto.EventNodeChildrenChanged, "/child", 11)
		fc.reply(proto.XidSetWatches, 12, proto.OK, nil)
		for path, ch := range map[string]<-chan Event{"/data": data, "/exist": exist, "/child": child} {
			if ev := <-ch; ev.Path != path {
				t.Errorf("event %+v of %s", ev, path)
			}
		}

		set(proto.OpAddWatch, proto.OK, []byte{0, 0, 0, 0}, func() { w, _ = c.AddWatch(t.Context(), "/tree", WatchTree) })
		fc.Close()
		fc, _ = f.accept()
		sw = fc.setWatches(proto.OpSetWatches2)
		if len(sw.Data)+len(sw.Exist)+len(sw.Child)+len(sw.Persistent) != 0 || !sortedEqual(sw.PersistentRecursive, []string{"/tree"}) {
			t.Errorf("watches %+v", sw)
		}
		synctest.Wait()
		if ev, ok := w.TryNext(); ok {
			t.Errorf("event %+v before the watch is set", ev)
		}
		fc.reply(proto.XidSetWatches, 13, proto.OK, nil)
		if ev, err := w.Next(t.Context()); err != nil || ev.Type != EventReset || ev.Zxid != 13 {
			t.Errorf("event %+v, %v", ev, err)
		}
		shut(t, c, fc)
	})
}

// Many watches take several packets, all of which ask about the same time,
// even if the connection breaks between their replies.
func TestWatchesInSeveralPackets(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		const n = 100
		var want []string
		for i := range n {
			path := fmt.Sprintf("/%04d%s", i, strings.Repeat("x", 5000))
			want = append(want, path)
			done := async(func() error { _, _, _, err := c.ExistsW(t.Context(), path); return err })
			fc.answer(proto.OpExists, 10, proto.NoNode, nil)
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			fc.Close()
			fc, _ = f.accept()
			var got []string
			for packets := 0; len(got) < n; packets++ {
				sw := fc.setWatches(proto.OpSetWatches)
				size := 0
				for _, path := range sw.Exist {
					size += len(path)
				}
				if size > maxSetWatches || sw.RelativeZxid != 10 {
					t.Errorf("packet of %d bytes, relative to %d", size, sw.RelativeZxid)
				}
				got = append(got, sw.Exist...)
				if packets == 0 {
					fc.reply(proto.XidSetWatches, 20, proto.OK, nil)
				}
			}
			if !sortedEqual(got, want) {
				t.Errorf("%d watches set of %d", len(got), len(want))
			}
			synctest.Wait()
		}
		for range 3 { // 500,000 bytes are four packets
			fc.reply(proto.XidSetWatches, 21, proto.OK, nil)
		}
		synctest.Wait()
		if c.LastZxid() != 21 {
			t.Errorf("seen %d", c.LastZxid())
		}
		shut(t, c, fc)
	})
}

func TestSlowReaderFindsReset(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client(WithWatchBuffer(3))
		fc, _ := f.accept()
		added := async(func() *Watch { w, _ := c.AddWatch(t.Context(), "/", WatchTree); return w })
		fc.answer(proto.OpAddWatch, 1, proto.OK, []byte{0, 0, 0, 0})
		w := <-added
		for i := range 5 {
			fc.event(proto.EventNodeCreated, fmt.Sprintf("/%d", i), int64(i))
		}
		synctest.Wait()
		var got []string
		for {
			ev, ok := w.TryNext()
			if !ok {
				break
			}
			got = append(got, fmt.Sprint(ev.Type, ev.Path))
		}
		if want := "Reset/ NodeCreated/3 NodeCreated/4"; strings.Join(got, " ") != want {
			t.Errorf("events %v, want %s", got, want)
		}
		shut(t, c, fc)
	})
}
