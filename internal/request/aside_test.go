package request

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/proto"
)

// group is so many creations below the root, with names that begin so.
func group(name string, n int) []Request {
	var all []Request
	for i := range n {
		all = append(all, Request{Xid: int32(i + 1), Op: proto.OpCreate, Body: createBody(fmt.Sprintf("/%s%d", name, i), "x", 0)})
	}
	return all
}

// silent fails the test if the client was sent something.
func (m *memConn) silent(t *testing.T, when string) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.got) > 0 {
		t.Errorf("a reply %s", when)
	}
}

// steps is a log that asks before each of its steps, once it is armed.
type steps struct {
	memLog
	armed           atomic.Bool
	appends, goOn   chan struct{}
	syncing, synced chan struct{}
}

func (l *steps) Append(b []byte, first, last int64, n int) error {
	if l.armed.Load() {
		l.appends <- struct{}{}
		<-l.goOn
	}
	return l.memLog.Append(b, first, last, n)
}

func (l *steps) Sync() error {
	if l.armed.Load() {
		l.syncing <- struct{}{}
		<-l.synced
	}
	return l.memLog.Sync()
}

// prepareAside has a write of one client synced, and many of another's prepared
// by the time that the sync ends: against a change that is not applied, since
// their first creates the same znode.
func prepareAside(t *testing.T) (w *world, log *steps, a, b *memConn) {
	log = &steps{
		appends: make(chan struct{}), goOn: make(chan struct{}),
		syncing: make(chan struct{}), synced: make(chan struct{}),
	}
	w = newWorld(t, func(o *Options) { o.Log = log })
	one, a := w.client()
	two, b := w.client()
	log.armed.Store(true)
	w.submit(one, group("a", 1)...)
	<-log.appends
	w.submit(two, group("a", 2*syncAside)...)
	log.goOn <- struct{}{}
	<-log.syncing
	for w.pipe.queue.writes() > 0 { // the writer takes them while the disk works
		time.Sleep(time.Millisecond)
	}
	a.silent(t, "before its sync")
	return w, log, a, b
}

func TestPreparingWhileTheDiskWorks(t *testing.T) {
	_, log, a, b := prepareAside(t)
	log.synced <- struct{}{}
	if h, _ := a.next(t); h.Err != proto.OK {
		t.Errorf("%+v", h)
	}
	<-log.appends
	log.goOn <- struct{}{}
	<-log.syncing
	b.silent(t, "before its sync")
	log.armed.Store(false)
	log.synced <- struct{}{}
	for i := range 2 * syncAside {
		want := proto.OK
		if i == 0 {
			want = proto.NodeExists
		}
		if h, _ := b.next(t); h.Err != want || h.Xid != int32(i+1) {
			t.Fatalf("reply %d: %+v, want %v", i+1, h, want)
		}
	}
}

// Neither what a failed sync was for is answered, nor what was prepared
// meanwhile.
func TestFailedSyncWhilePreparing(t *testing.T) {
	w, log, a, b := prepareAside(t)
	gone := errors.New("disk is gone")
	log.mu.Lock()
	log.fail = gone
	log.mu.Unlock()
	log.synced <- struct{}{}
	if err := <-w.Failed(); !errors.Is(err, gone) {
		t.Errorf("error %v", err)
	}
	w.Close()
	a.silent(t, "after a failed sync")
	b.silent(t, "after a failed sync")
}
