package request

import (
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/txn"
)

// otherTree has /other, made by transaction zxid.
func otherTree(zxid int64) *tree.Tree {
	t := tree.New(tree.Options{ExtendedTypes: true})
	tx := txn.Txn{Header: txn.Header{Zxid: zxid, Time: 1, Type: proto.OpCreate}}
	tx.Body = txn.Body{Type: proto.OpCreate, Path: "/other", Data: []byte("x"), ACL: openACL, ParentCversion: 1}
	var r tree.Result
	t.Lock()
	t.Apply(&tx, &r)
	t.Unlock()
	return t
}

func TestReplace(t *testing.T) {
	var closed []int64
	w := newWorld(t, func(o *Options) { o.SessionClosed = func(id int64) { closed = append(closed, id) } })
	stays, m := w.client()
	goes, _ := w.client()
	w.submit(stays, Request{Xid: 1, Op: proto.OpCreate, Body: createBody("/a", "x", 0)})
	m.next(t)

	sessions := map[int64]int32{stays.Session.ID(): 30000, 77: 5000}
	var kept Frozen
	zxid, err := w.Replace(Replacement{
		Tree: otherTree(1), Sessions: sessions, Now: func() int64 { return 0 },
		Persist: func(f Frozen) error {
			kept = f
			if f.View.Zxid() != 4 || f.View.NodeCount() != 5 {
				t.Errorf("view of zxid %d with %d znodes", f.View.Zxid(), f.View.NodeCount())
			}
			f.View.Close()
			return nil
		},
	})
	if err != nil || zxid != 4 || w.Zxid() != 4 {
		t.Fatalf("zxid %d (%d), error %v", zxid, w.Zxid(), err)
	}
	if !maps.Equal(kept.Sessions, sessions) {
		t.Errorf("persisted sessions %v", kept.Sessions)
	}
	if len(closed) != 1 || closed[0] != goes.Session.ID() || !goes.Session.Closing() || stays.Session.Closing() {
		t.Errorf("closed %v", closed)
	}
	if w.Sessions.Get(77) == nil {
		t.Error("a session of the new state is not tracked")
	}
	w.Read(stays, []Request{
		{Xid: 2, Op: proto.OpExists, Body: readBody("/other", false)},
		{Xid: 3, Op: proto.OpExists, Body: readBody("/a", false)},
	}, time.Now())
	m.Flush()
	for _, want := range []proto.Code{proto.OK, proto.NoNode} {
		if h, _ := m.next(t); h.Err != want || h.Zxid != 4 {
			t.Errorf("%+v, want %v", h, want)
		}
	}
	w.submit(stays,
		Request{Xid: 4, Op: proto.OpCreate, Body: createBody("/a/b", "x", 0)},
		Request{Xid: 5, Op: proto.OpCreate, Body: createBody("/other/c", "x", 0)})
	for i, want := range []proto.Code{proto.NoNode, proto.OK} {
		if h, _ := m.next(t); h.Err != want || h.Zxid != int64(5+i) {
			t.Errorf("%+v, want %v", h, want)
		}
	}
}

// A state that is ahead keeps its zxid; one that cannot be made durable changes nothing.
func TestReplaceZxidAndFailure(t *testing.T) {
	w := newWorld(t, nil)
	c, m := w.client()
	broken := errors.New("no room")
	other := otherTree(1)
	if _, err := w.Replace(Replacement{
		Tree: other, Sessions: map[int64]int32{}, Now: func() int64 { return 0 },
		Persist: func(f Frozen) error { f.View.Close(); return broken },
	}); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	other.Close()
	w.submit(c, Request{Xid: 1, Op: proto.OpCreate, Body: createBody("/a", "x", 0)})
	if h, _ := m.next(t); h.Err != proto.OK || h.Zxid != 2 {
		t.Errorf("%+v", h)
	}
	zxid, err := w.Replace(Replacement{
		Tree: otherTree(5 << 32), Sessions: map[int64]int32{c.Session.ID(): 30000}, Now: func() int64 { return 0 },
		Persist: func(f Frozen) error { f.View.Close(); return nil },
	})
	if err != nil || zxid != 5<<32 {
		t.Errorf("zxid %x, error %v", zxid, err)
	}
	w.submit(c, Request{Xid: 2, Op: proto.OpSetData, Body: setBody("/other", "y", 0)})
	if h, _ := m.next(t); h.Err != proto.OK || h.Zxid != 5<<32+1 {
		t.Errorf("%+v", h)
	}
}

// Writers and readers that go on meanwhile see one state or the other.
func TestReplaceUnderLoad(t *testing.T) {
	w := newWorld(t, nil)
	var stop atomic.Bool
	var wg sync.WaitGroup
	ids := map[int64]int32{}
	for range 4 {
		c, m := w.client()
		ids[c.Session.ID()] = 30000
		wg.Go(func() {
			for xid := int32(1); !stop.Load(); xid++ {
				w.submit(c, Request{Xid: xid, Op: proto.OpCreate, Body: createBody("/n-", "x", proto.FlagPersistentSequential)})
				if h, _ := m.next(t); h.Err != proto.OK {
					t.Errorf("%+v", h)
					return
				}
				w.Read(c, []Request{{Xid: xid, Op: proto.OpGetChildren, Body: readBody("/", false)}}, time.Now())
				m.Flush()
				if h, _ := m.next(t); h.Err != proto.OK {
					t.Errorf("%+v", h)
					return
				}
			}
		})
	}
	for range 20 {
		before := w.Zxid()
		zxid, err := w.Replace(Replacement{
			Tree: otherTree(1), Sessions: maps.Clone(ids), Now: func() int64 { return 0 },
			Persist: func(f Frozen) error { f.View.Close(); return nil },
		})
		if err != nil || zxid <= before {
			t.Fatalf("zxid %d after %d, error %v", zxid, before, err)
		}
	}
	stop.Store(true)
	wg.Wait()
}

func TestReplaceAfterClose(t *testing.T) {
	w := newWorld(t, nil)
	w.Close()
	other := otherTree(1)
	defer other.Close()
	if _, err := w.Replace(Replacement{Tree: other}); !errors.Is(err, ErrClosed) {
		t.Errorf("error %v", err)
	}
}

func TestReplaceAfterFailedLog(t *testing.T) {
	w := newWorld(t, nil)
	c, _ := w.client()
	w.log.mu.Lock()
	w.log.fail = errors.New("disk is gone")
	w.log.mu.Unlock()
	w.submit(c, Request{Xid: 1, Op: proto.OpCreate, Body: createBody("/a", "x", 0)})
	other := otherTree(1)
	defer other.Close()
	if _, err := w.Replace(Replacement{Tree: other}); !errors.Is(err, ErrClosed) {
		t.Errorf("error %v", err)
	}
	<-w.Failed()
	if w.Err() == nil {
		t.Error("no reason is known")
	}
}
