package client

import (
	"errors"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// Whatever a server sends instead of a reply ends the connection, and the
// request with it.
func TestMalformedFrames(t *testing.T) {
	huge := proto.ReplyHeader{Xid: proto.XidNotification}.Append(jute.AppendInt(nil, 1<<30))
	for name, tc := range map[string]struct {
		raw  []byte
		want string
	}{
		"short frame":        {append(jute.AppendInt(nil, 3), 1, 2, 3), "frame of length 3"},
		"negative length":    {jute.AppendInt(nil, -5), "frame of length -5"},
		"large event":        {huge, "reply too large"},
		"wrong xid":          {framed(proto.ReplyHeader{Xid: 99}, nil), "reply 99 where 1 was due"},
		"ping nobody sent":   {framed(proto.ReplyHeader{Xid: proto.XidPing}, nil), "reply to no ping"},
		"watches nobody set": {framed(proto.ReplyHeader{Xid: proto.XidSetWatches}, nil), "reply to no watches"},
		"torn notification":  {framed(proto.ReplyHeader{Xid: proto.XidNotification}, []byte{1, 2}), "notification"},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, f *fake) {
				c := f.client(WithFailFast())
				fc, _ := f.accept()
				got := async(func() error { return c.Sync(t.Context(), "/") })
				fc.request(proto.OpSync)
				if _, err := fc.Write(tc.raw); err != nil {
					t.Fatal(err)
				}
				err := <-got
				wantIs(t, err, ErrConnectionLoss)
				if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrReplyTooLarge) || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("error %v, want %q", err, tc.want)
				}
				fc, _ = f.accept()
				shut(t, c, fc)
			})
		})
	}
}

// A reply that is too large fails its request, which is not made again. What
// follows it on the connection is served.
func TestReplyTooLarge(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client(WithMaxReply(2000))
		fc, _ := f.accept()
		large := async(func() error { _, _, err := c.Get(t.Context(), "/large"); return err })
		h, _ := fc.request(proto.OpGetData)
		write := async(func() error { _, err := c.Multi(t.Context(), DeleteOp("/a", 1)); return err })
		w, _ := fc.request(proto.OpMulti)
		small := async(func() error { _, _, err := c.Get(t.Context(), "/small"); return err })
		s, _ := fc.request(proto.OpGetData)

		fc.reply(h.Xid, 1, proto.OK, getReply(strings.Repeat("x", 3_000_000)))
		err := <-large
		wantIs(t, err, ErrReplyTooLarge)
		if want := "getData /large: reply too large: 3000088 bytes, at most 2000 are taken"; err.Error() != want || MaybeApplied(err) {
			t.Errorf("error %q, want %q", err, want)
		}
		fc.reply(w.Xid, 1, proto.OK, make([]byte, 3000))
		if err := <-write; !errors.Is(err, ErrReplyTooLarge) || !MaybeApplied(err) {
			t.Errorf("error of a write %v", err)
		}
		fc.reply(s.Xid, 2, proto.OK, getReply("fits"))
		if err := <-small; err != nil {
			t.Error(err)
		}
		shut(t, c, fc)
	})
}

func framed(h proto.ReplyHeader, body []byte) []byte {
	payload := append(h.Append(nil), body...)
	return append(jute.AppendInt(nil, int32(len(payload))), payload...)
}

// A body that is none fails its request alone.
func TestMalformedBodies(t *testing.T) {
	run(t, func(t *testing.T, f *fake) {
		c := f.client()
		fc, _ := f.accept()
		ctx := t.Context()
		for name, tc := range map[string]struct {
			op proto.Op
			do func() error
		}{
			"get":      {proto.OpGetData, func() error { _, _, err := c.Get(ctx, "/a"); return err }},
			"exists":   {proto.OpExists, func() error { _, _, err := c.Exists(ctx, "/a"); return err }},
			"children": {proto.OpGetChildren2, func() error { _, _, err := c.Children(ctx, "/a"); return err }},
			"names":    {proto.OpGetChildren, func() error { _, err := c.ChildNames(ctx, "/a"); return err }},
			"acl":      {proto.OpGetACL, func() error { _, _, err := c.ACL(ctx, "/a"); return err }},
			"create":   {proto.OpCreate2, func() error { _, _, err := c.Create2(ctx, "/a", nil); return err }},
			"set":      {proto.OpSetData, func() error { _, err := c.Set(ctx, "/a", nil, 0); return err }},
			"number":   {proto.OpGetAllChildrenNumber, func() error { _, err := c.AllChildrenNumber(ctx, "/a"); return err }},
			"eph":      {proto.OpGetEphemerals, func() error { _, err := c.Ephemerals(ctx, "/a"); return err }},
			"who":      {proto.OpWhoAmI, func() error { _, err := c.WhoAmI(ctx); return err }},
			"multi":    {proto.OpMulti, func() error { _, err := c.Multi(ctx, CheckOp("/a", 0)); return err }},
			"read":     {proto.OpMultiRead, func() error { _, err := c.MultiRead(ctx, GetOp("/a")); return err }},
			"reconfig": {proto.OpReconfig, func() error { _, _, err := c.Reconfigure(ctx, Reconfiguration{}); return err }},
		} {
			for _, body := range [][]byte{nil, {0x7f, 0xff, 0xff}, {0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0}} {
				if tc.op == proto.OpGetAllChildrenNumber && len(body) >= 4 {
					continue // any four bytes are a number
				}
				got := async(tc.do)
				fc.answer(tc.op, 1, proto.OK, body)
				if err := <-got; !errors.Is(err, ErrMalformed) {
					t.Errorf("%s: body % x: %v", name, body, err)
				}
			}
		}
		shut(t, c, fc)
	})
}
