package txn

import (
	"bytes"
	"errors"
	"testing"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

var openACL = proto.AppendACLs(nil, proto.OpenACL())

func bodies() []Body {
	return []Body{
		{Type: proto.OpCreate, Path: "/a", Data: []byte("x"), ACL: openACL, Ephemeral: true, ParentCversion: 3},
		{Type: proto.OpCreate2, Path: "/a", ACL: openACL, ParentCversion: 4},
		{Type: proto.OpCreateContainer, Path: "/c", Data: []byte{}, ACL: openACL, ParentCversion: 4},
		{Type: proto.OpCreateTTL, Path: "/t", Data: []byte("y"), ACL: openACL, ParentCversion: 4, TTL: 1000},
		{Type: proto.OpDelete, Path: "/a"},
		{Type: proto.OpDeleteContainer, Path: "/c"},
		{Type: proto.OpSetData, Path: "/a", Data: []byte("z"), Version: 2},
		{Type: proto.OpSetACL, Path: "/a", ACL: openACL, Version: 1},
		{Type: proto.OpCheck, Path: "/a", Version: 1},
		{Type: proto.OpCreateSession, TimeOut: 30000},
		{Type: proto.OpCloseSession, HasPaths: true, Paths: []string{"/e1", "/e2"}},
		{Type: proto.OpCloseSession, HasPaths: true, Paths: []string{"/e/1"}},
		{Type: proto.OpCloseSession},
		{Type: proto.OpError, Err: proto.NoNode},
	}
}

func equalBody(a, b *Body) bool {
	return bytes.Equal(a.Append(nil), b.Append(nil)) && a.Type == b.Type && a.Path == b.Path &&
		a.TTL == b.TTL && a.ParentCversion == b.ParentCversion && (a.Data == nil) == (b.Data == nil)
}

func TestRoundTrip(t *testing.T) {
	var got Txn
	for _, digest := range []bool{false, true} {
		for _, body := range bodies() {
			want := Txn{Header: Header{ClientID: 1 << 56, Cxid: 7, Zxid: 9, Time: 11, Type: body.Type},
				Body: body, HasDigest: digest, TreeDigest: 77}
			if err := Decode(want.Append(nil), &got); err != nil {
				t.Fatalf("%v: %v", body.Type, err)
			}
			if got.Header != want.Header || !equalBody(&got.Body, &body) || got.HasDigest != digest ||
				digest && got.TreeDigest != 77 {
				t.Errorf("%v: got %+v, want %+v", body.Type, got, want)
			}
		}
	}
}

func TestMultiRoundTrip(t *testing.T) {
	want := Txn{Header: Header{Zxid: 5, Type: proto.OpMulti}, Subs: bodies()[:8], HasDigest: true, TreeDigest: 1}
	var got Txn
	if err := Decode(want.Append(nil), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Subs) != len(want.Subs) || !got.HasDigest {
		t.Fatalf("got %+v", got)
	}
	for i := range got.Subs {
		if !equalBody(&got.Subs[i], &want.Subs[i]) {
			t.Errorf("sub %d: got %+v, want %+v", i, got.Subs[i], want.Subs[i])
		}
	}
}

func TestCreateOfOldServers(t *testing.T) {
	h := Header{Zxid: 1, Type: proto.OpCreate}
	entry := jute.AppendBool(AppendCreate(h.Append(nil), "/old", nil, openACL), false)
	var got Txn
	if err := Decode(entry, &got); err != nil {
		t.Fatal(err)
	}
	if got.ParentCversion != -1 || got.Path != "/old" {
		t.Fatalf("got %+v", got.Body)
	}
}

func FuzzDecode(f *testing.F) {
	for _, body := range bodies() {
		tx := Txn{Header: Header{Zxid: 1, Type: body.Type}, Body: body, HasDigest: true}
		f.Add(tx.Append(nil))
	}
	multi := Txn{Header: Header{Type: proto.OpMulti}, Subs: bodies()[:9]}
	f.Add(multi.Append(nil))
	f.Fuzz(func(t *testing.T, entry []byte) {
		var tx, again Txn
		if err := Decode(entry, &tx); err != nil {
			if !errors.Is(err, jute.ErrMalformed) {
				t.Fatalf("unmarked error %v", err)
			}
			return
		}
		encoded := tx.Append(nil)
		if err := Decode(encoded, &again); err != nil {
			t.Fatalf("own encoding does not decode: %v", err)
		}
		if !bytes.Equal(encoded, again.Append(nil)) && tx.DigestVersion == DigestVersion {
			t.Fatal("encoding is not stable")
		}
	})
}
