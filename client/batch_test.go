package client

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

func TestBatch(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		b := c.Batch()
		get, none := b.Get("/a"), b.Exists("/none")
		kids := b.Children("/a")
		made, set, gone := b.Create("/a/b", nil, Ephemeral), b.Set("/a", []byte("x"), 7), b.Delete("/c", 0)
		if get.Err() != ErrNotDone {
			t.Errorf("before: %v", get.Err())
		}
		synctest.Wait()
		writes := f.writes.Load()
		done := async(func() error { return b.Do(t.Context()) })
		fc.answer(proto.OpGetData, 41, proto.OK, getReply("data"))
		if n := f.writes.Load() - writes; n != 1 {
			t.Errorf("six requests left in %d writes", n)
		}
		fc.answer(proto.OpExists, 42, proto.NoNode, nil)
		stat := (&proto.Stat{Version: 8}).Append(nil)
		fc.answer(proto.OpGetChildren2, 43, proto.OK, append(jute.AppendString(jute.AppendInt(nil, 1), "kid"), stat...))
		fc.answer(proto.OpCreate2, 44, proto.OK, append(jute.AppendString(nil, "/a/b"), stat...))
		fc.answer(proto.OpSetData, 45, proto.OK, stat)
		fc.answer(proto.OpDelete, 46, proto.NotEmpty, nil)
		err := <-done
		wantIs(t, err, ErrNotEmpty)
		if gone.Err() != err || err.Error() != "delete /c: "+ErrNotEmpty.Error() {
			t.Errorf("delete: %v", gone.Err())
		}
		if string(get.Value().Data) != "data" || get.Err() != nil || get.Zxid() != 41 {
			t.Errorf("get: %+v", get)
		}
		if none.Value().Found || none.Err() != nil {
			t.Errorf("exists: %+v", none)
		}
		if v := kids.Value(); len(v.Names) != 1 || v.Names[0] != "kid" || v.Stat.Version != 8 {
			t.Errorf("children: %+v", v)
		}
		if made.Value().Path != "/a/b" || set.Value().Version != 8 {
			t.Errorf("create and set: %+v, %+v", made, set)
		}
		if err := b.Do(t.Context()); err != nil {
			t.Errorf("nothing to do: %v", err)
		}

		broken := c.Batch()
		read, write := broken.Get("/a"), broken.Set("/a", nil, 0)
		done = async(func() error { return broken.Do(t.Context()) })
		fc.request(proto.OpGetData)
		fc.request(proto.OpSetData)
		fc.Close()
		wantIs(t, <-done, ErrConnectionLoss)
		if MaybeApplied(read.Err()) || !MaybeApplied(write.Err()) {
			t.Errorf("read: %v, write: %v", read.Err(), write.Err())
		}
		fc, _ = f.accept()
		shut(t, c, fc)
	})
}

// A batch with a request that cannot be sent sends nothing.
func TestBatchRefused(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client(WithMaxRequest(1000))
		fc, _ := f.accept()
		for name, bad := range map[string]func(*Batch){
			"invalid path": func(b *Batch) { b.Get("no/slash") },
			"too large":    func(b *Batch) { b.Set("/large", make([]byte, 1000), 0) },
			"no mode":      func(b *Batch) { b.Create("/a", nil, Ephemeral, TTL(1)) },
		} {
			b := c.Batch()
			good := b.Delete("/a", 0)
			bad(b)
			err := b.Do(t.Context())
			if err == nil || good.Err() == nil || MaybeApplied(good.Err()) || errors.Is(good.Err(), ErrNotDone) {
				t.Errorf("%s: %v, %v", name, err, good.Err())
			}
			if name == "too large" && err.Error() != "setData /large: request too large: 1026 bytes, at most 1000 are sent" {
				t.Errorf("%s: %v", name, err)
			}
		}
		shut(t, c, fc) // which has got no other request
	})
}
