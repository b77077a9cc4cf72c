package request

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/storage"
)

func createTTLBody(path string, ttl int64) []byte {
	return jute.AppendLong(createBody(path, "", proto.FlagPersistentTTL), ttl)
}

// TestReaperSparesWhatHasChanged lists what is due, changes it, and lets the
// reaper go on with the list: it paces itself, so that the list may be old.
func TestReaperSparesWhatHasChanged(t *testing.T) {
	var later atomic.Int64
	w := newWorld(t, func(o *Options) { o.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) } })
	c, m := w.client()
	w.submit(c,
		Request{Xid: 1, Op: proto.OpCreateTTL, Body: createTTLBody("/set", 1000)},
		Request{Xid: 2, Op: proto.OpCreateTTL, Body: createTTLBody("/anew", 1000)},
		Request{Xid: 3, Op: proto.OpCreateTTL, Body: createTTLBody("/due", 1000)},
		Request{Xid: 4, Op: proto.OpCreateContainer, Body: createBody("/container", "", proto.FlagContainer)},
		Request{Xid: 5, Op: proto.OpCreate, Body: createBody("/container/c", "", 0)},
		Request{Xid: 6, Op: proto.OpDelete, Body: deleteBody("/container/c", -1)})
	for xid := int32(1); xid <= 6; xid++ {
		if h, _ := m.next(t); h.Err != 0 {
			t.Fatalf("reply %+v", h)
		}
	}
	if !c.Drain() {
		t.Fatal("client is gone")
	}
	later.Store(int64(time.Hour))
	due := w.dueForRemoval(0)
	if len(due) != 4 {
		t.Fatalf("%d znodes are due, want 4: %v", len(due), due)
	}
	w.submit(c,
		Request{Xid: 7, Op: proto.OpSetData, Body: setBody("/set", "still here", -1)},
		Request{Xid: 8, Op: proto.OpDelete, Body: deleteBody("/anew", -1)},
		Request{Xid: 9, Op: proto.OpCreate, Body: createBody("/anew", "for good", 0)},
		Request{Xid: 10, Op: proto.OpDelete, Body: deleteBody("/container", -1)},
		Request{Xid: 11, Op: proto.OpCreateContainer, Body: createBody("/container", "", proto.FlagContainer)})
	for _, d := range due {
		if err := w.DeleteContainer(d.path, d.seen); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	for path, want := range map[string]bool{"/set": true, "/anew": true, "/container": true, "/due": false} {
		if got := w.tree.Find(path) != 0; got != want {
			t.Errorf("%s is there: %v, want %v", path, got, want)
		}
	}
}

// longest is a log that notes the longest batch.
type longest struct {
	memLog
	n int
}

func (l *longest) Append(b []byte, first, last int64, n int) error {
	l.n = max(l.n, len(b))
	return l.memLog.Append(b, first, last, n)
}

// TestTheEndOfAHugeSessionCanBeReadAgain closes a session whose ephemerals'
// paths are longer together than the longest record that a start reads.
func TestTheEndOfAHugeSessionCanBeReadAgain(t *testing.T) {
	log := &longest{}
	w := newWorld(t, func(o *Options) { o.Log, o.MaxInFlight = log, 1<<30 })
	c, m := w.client()
	const size = 1 << 20
	name := strings.Repeat("x", size)
	for i := range storage.DefaultMaxEntry/size + 1 {
		w.submit(c, Request{Op: proto.OpCreate, Body: createBody(fmt.Sprintf("/%s%02d", name, i), "", proto.FlagEphemeral)})
		if h, _ := m.next(t); h.Err != 0 {
			t.Fatalf("reply %+v", h)
		}
	}
	w.submit(c, Request{Op: proto.OpCloseSession})
	w.Close()
	if log.n > storage.DefaultMaxEntry {
		t.Errorf("a batch of one record has %d bytes, a start reads %d", log.n, storage.DefaultMaxEntry)
	}
	if n := w.tree.EphemeralCount(); n != 0 {
		t.Errorf("%d ephemerals are left", n)
	}
}
