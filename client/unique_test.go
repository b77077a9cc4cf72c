package client

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

func createReply(path string, czxid int64) []byte {
	stat := proto.Stat{Czxid: czxid, EphemeralOwner: fakeSession}
	return stat.Append(jute.AppendString(nil, path))
}

func namesReply(names ...string) []byte {
	b := jute.AppendInt(nil, int32(len(names)))
	for _, n := range names {
		b = jute.AppendString(b, n)
	}
	return b
}

type creation1 struct {
	Created
	err error
}

func createUnique(ctx context.Context, c *Client) <-chan creation1 {
	return async(func() creation1 {
		made, err := c.CreateUniqueAndList(ctx, "/p/me-lock-", []byte("data"), EphemeralSequential)
		return creation1{made, err}
	})
}

// found answers what looks for /p/me-lock-, by a node with number 7 or none.
func (fc *fakeConn) found(there bool) {
	fc.answer(proto.OpSync, 20, proto.OK, jute.AppendString(nil, "/p"))
	if !there {
		fc.answer(proto.OpGetChildren, 20, proto.OK, namesReply("other-0000000001", "me-lock-x"))
		return
	}
	fc.answer(proto.OpGetChildren, 20, proto.OK, namesReply("other-0000000001", "me-lock-0000000007"))
	fc.answer(proto.OpExists, 20, proto.OK, (&proto.Stat{Czxid: 19, EphemeralOwner: fakeSession}).Append(nil))
}

func TestUniqueName(t *testing.T) {
	if n := UniqueName("lock-"); !regexp.MustCompile(`^_c_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}-lock-$`).MatchString(n) {
		t.Error(n)
	}
}

// The node and its siblings are asked for in one write.
func TestCreateUnique(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		synctest.Wait()
		before := f.writes.Load()
		done := createUnique(t.Context(), c)
		synctest.Wait()
		fc.answer(proto.OpCreate2, 12, proto.OK, createReply("/p/me-lock-0000000003", 12))
		fc.answer(proto.OpGetChildren, 12, proto.OK, namesReply("me-lock-0000000003"))
		got := <-done
		if got.err != nil || got.Path != "/p/me-lock-0000000003" || got.Stat.Czxid != 12 || len(got.Siblings) != 1 || got.Session != c.Session() {
			t.Errorf("made %+v", got)
		}
		if n := f.writes.Load() - before; n != 1 {
			t.Errorf("%d writes", n)
		}
		go c.Close()
		fc.end()
	})
}

// A node whose reply was lost with the connection is found, or made again.
func TestCreateUniqueRecovers(t *testing.T) {
	for name, there := range map[string]bool{"made": true, "not made": false} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, f *fake) {
				c := f.client()
				fc, _ := f.accept()
				done := createUnique(t.Context(), c)
				fc.request(proto.OpCreate2)
				fc.Close()
				fc, _ = f.accept()
				fc.found(there)
				want := "/p/me-lock-0000000007"
				if !there {
					want = "/p/me-lock-0000000008"
					fc.answer(proto.OpCreate2, 21, proto.OK, createReply(want, 21))
					fc.answer(proto.OpGetChildren, 21, proto.OK, namesReply("me-lock-0000000008"))
				}
				if got := <-done; got.err != nil || got.Path != want || len(got.Siblings) == 0 {
					t.Errorf("made %+v", got)
				}
				go c.Close()
				fc.end()
			})
		})
	}
}

// Who gives up leaves nothing behind.
func TestCreateUniqueCancelled(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		ctx, cancel := context.WithCancel(t.Context())
		done := createUnique(ctx, c)
		create, _ := fc.request(proto.OpCreate2)
		list, _ := fc.request(proto.OpGetChildren)
		cancel()
		wantIs(t, (<-done).err, context.Canceled)
		fc.reply(create.Xid, 19, proto.OK, createReply("/p/me-lock-0000000007", 19))
		fc.reply(list.Xid, 19, proto.OK, namesReply("me-lock-0000000007"))
		fc.found(true)
		fc.answer(proto.OpDelete, 22, proto.OK, nil)
		go c.Close()
		fc.end()
	})
}

// However many give up, their nodes are looked for together: once for those that did so before the search, and once for
// those that did so during it. A broken connection is no end of it.
func TestCreateUniqueCancelledByMany(t *testing.T) {
	const many = 100
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		ctx, cancel := context.WithCancel(t.Context())
		var done []<-chan error
		var xids []int32
		for i := range many {
			done = append(done, async(func() error {
				_, err := c.CreateUnique(ctx, fmt.Sprintf("/p/%d-lock-", i), nil, EphemeralSequential)
				return err
			}))
			h, _ := fc.request(proto.OpCreate2)
			xids = append(xids, h.Xid)
		}
		cancel()
		there := []string{"other-0000000001"}
		for i, d := range done {
			wantIs(t, <-d, context.Canceled)
			there = append(there, fmt.Sprintf("%d-lock-%010d", i, i))
		}
		for i, xid := range xids {
			fc.reply(xid, 19, proto.OK, createReply("/p/"+there[i+1], 19))
		}
		fc.request(proto.OpSync)
		fc.Close()
		fc, _ = f.accept()
		count := make(map[proto.Op]int)
		for len(there) > 1 {
			h, d := fc.any()
			count[h.Op]++
			switch h.Op {
			case proto.OpSync:
				fc.reply(h.Xid, 20, proto.OK, jute.AppendString(nil, "/p"))
			case proto.OpGetChildren:
				fc.reply(h.Xid, 20, proto.OK, namesReply(there...))
			case proto.OpExists:
				fc.reply(h.Xid, 20, proto.OK, (&proto.Stat{EphemeralOwner: fakeSession}).Append(nil))
			case proto.OpDelete:
				name := strings.TrimPrefix(d.String(), "/p/")
				if i := slices.Index(there, name); i > 0 {
					there = slices.Delete(there, i, i+1)
				} else {
					t.Errorf("%q is deleted", name)
				}
				fc.reply(h.Xid, 21, proto.OK, nil)
			case proto.OpPing:
				fc.reply(proto.XidPing, 20, proto.OK, nil)
			default:
				t.Fatalf("request %v", h.Op)
			}
		}
		if count[proto.OpSync] > 2 || count[proto.OpGetChildren] > 2 || count[proto.OpDelete] != many {
			t.Errorf("requests %v", count)
		}
		shut(t, c, fc)
	})
}

// A client that is closed does not look any further.
func TestCloseEndsSearchForUnique(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		ctx, cancel := context.WithCancel(t.Context())
		done := createUnique(ctx, c)
		fc.request(proto.OpCreate2)
		fc.request(proto.OpGetChildren)
		cancel()
		wantIs(t, (<-done).err, context.Canceled)
		fc.request(proto.OpSync)
		f.refusing.Store(true)
		fc.Close()
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

// An ephemeral node of a session that is over is not looked for in the next.
func TestCreateUniqueSessionExpires(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		done := createUnique(t.Context(), c)
		fc.request(proto.OpCreate2)
		fc.Close()
		f.accept(func(r *proto.ConnectResponse) { r.TimeOut, r.SessionID = 0, 0 })
		fc, _ = f.accept(func(r *proto.ConnectResponse) { r.SessionID++ })
		wantIs(t, (<-done).err, ErrSessionExpired)
		go c.Close()
		fc.end()
	})
}

func TestUniqueNodeIsRefused(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		for _, path := range []string{"p", "/p/", "/p//x"} {
			_, err := c.CreateUnique(t.Context(), path, nil, EphemeralSequential)
			wantIs(t, err, ErrBadArguments)
		}
		go c.Close()
		fc.end()
	})
}

func TestEnsureDeleted(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		ctx, cancel := context.WithCancel(t.Context())
		done := async(func() error { return c.EnsureDeleted(ctx, "/p/x") })
		fc.request(proto.OpDelete)
		fc.Close()
		fc, _ = f.accept()
		fc.answer(proto.OpDelete, 20, proto.NoNode, nil)
		if err := <-done; err != nil {
			t.Error(err)
		}
		cancel()
		wantIs(t, c.EnsureDeleted(ctx, "/p/y"), context.Canceled)
		fc.answer(proto.OpDelete, 21, proto.OK, nil) // the caller's, or the first one in the background
		go c.Close()
		for {
			h, _ := fc.any()
			fc.reply(h.Xid, 22, proto.OK, nil)
			if h.Op == proto.OpCloseSession {
				return
			}
		}
	})
}

// any reads the next request, whatever it is.
func (fc *fakeConn) any() (proto.RequestHeader, jute.Decoder) {
	fc.t.Helper()
	d := jute.NewDecoder(fc.frame())
	var h proto.RequestHeader
	h.Decode(&d)
	return h, d
}

func TestEnsurePath(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		done := async(func() error { return c.EnsurePath(t.Context(), "/a/b") })
		fc.answer(proto.OpCreateContainer, 20, proto.NoNode, nil)                 // /a/b
		fc.answer(proto.OpCreateContainer, 20, proto.Unimplemented, nil)          // /a
		fc.answer(proto.OpCreate, 21, proto.NodeExists, nil)                      // /a
		fc.answer(proto.OpCreateContainer, 22, proto.OK, createReply("/a/b", 22)) // /a/b
		if err := <-done; err != nil {
			t.Error(err)
		}
		done = async(func() error { return c.EnsurePath(t.Context(), "/gone") }) // the chroot is
		fc.answer(proto.OpCreateContainer, 23, proto.NoNode, nil)
		fc.answer(proto.OpExists, 23, proto.NoNode, nil)
		wantIs(t, <-done, ErrNoNode)
		go c.Close()
		fc.end()
	})
}

// The context of a session lasts while the server answers pings, and ends before
// the server can let the session expire.
func TestSessionContext(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		synctest.Wait()
		s := c.Session()
		ctx, cancel := s.Context(t.Context())
		defer cancel()
		var last time.Time
		for range 5 {
			h, _ := fc.any()
			if h.Op != proto.OpPing {
				t.Fatalf("request %v", h.Op)
			}
			last = time.Now()
			fc.reply(proto.XidPing, 0, proto.OK, nil)
		}
		synctest.Wait()
		if ctx.Err() != nil {
			t.Fatal(context.Cause(ctx))
		}
		f.refusing.Store(true)
		fc.Close()
		<-ctx.Done()
		wantIs(t, context.Cause(ctx), ErrSessionUnsafe)
		if passed := time.Since(last); passed >= s.Timeout() || passed < s.Timeout()*9/10 {
			t.Errorf("ended %v after the last ping", passed)
		}
		c.Close()
	})
}

func TestWithinSession(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		synctest.Wait()
		s := c.Session()
		in := WithinSession(t.Context(), s)
		ctx, cancel := s.Context(t.Context())
		defer cancel()
		done := async(func() error { _, _, err := c.Get(in, "/x"); return err })
		fc.answer(proto.OpGetData, 3, proto.OK, getReply("x"))
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		fc.Close()
		f.accept(func(r *proto.ConnectResponse) { r.TimeOut, r.SessionID = 0, 0 })
		fc, _ = f.accept(func(r *proto.ConnectResponse) { r.SessionID++ })
		synctest.Wait()
		_, _, err := c.Get(in, "/x")
		wantIs(t, err, ErrSessionExpired)
		wantIs(t, context.Cause(ctx), ErrSessionExpired)
		go c.Close()
		fc.end()
	})
}

func TestForgetWatch(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		watch := func() <-chan Event {
			got := async(func() <-chan Event { _, _, ch, _ := c.GetW(t.Context(), "/x"); return ch })
			fc.answer(proto.OpGetData, 3, proto.OK, getReply("x"))
			return <-got
		}
		one, two := watch(), watch()
		c.ForgetWatch("/x", one)
		fc.event(proto.EventNodeDeleted, "/x", 4)
		if ev := <-two; ev.Type != EventDeleted {
			t.Errorf("event %+v", ev)
		}
		select {
		case ev, ok := <-one:
			t.Errorf("event %+v, %v", ev, ok)
		default:
		}
		go c.Close()
		fc.end()
	})
}
