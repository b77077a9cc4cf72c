package tree

import (
	"testing"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
)

func TestQuotaText(t *testing.T) {
	unset := Quota{Count: -1, Bytes: -1, CountHardLimit: -1, ByteHardLimit: -1}
	with := func(change func(*Quota)) Quota {
		q := unset
		change(&q)
		return q
	}
	for in, want := range map[string]struct {
		q    Quota
		text string
	}{
		"":                  {unset, "count=-1,bytes=-1"},
		"count=4,bytes=5":   {with(func(q *Quota) { q.Count, q.Bytes = 4, 5 }), "count=4,bytes=5"},
		"bytes=5":           {with(func(q *Quota) { q.Bytes = 5 }), "count=-1,bytes=5"},
		"count=,bytes=":     {unset, "count=-1,bytes=-1"},
		"count=x,bytes=7":   {with(func(q *Quota) { q.Bytes = 7 }), "count=-1,bytes=7"},
		"garbage":           {unset, "count=-1,bytes=-1"},
		",;count=1;,":       {with(func(q *Quota) { q.Count = 1 }), "count=1,bytes=-1"},
		"count=1,bytes=2=;": {with(func(q *Quota) { q.Count, q.Bytes = 1, 2 }), "count=1,bytes=2"},
		"count=1,bytes=2=;countHardLimit=3;byteHardLimit=4": {
			with(func(q *Quota) { *q = Quota{Count: 1, Bytes: 2, CountHardLimit: 3, ByteHardLimit: 4} }),
			"count=1,bytes=2=;byteHardLimit=4;countHardLimit=3"},
		"count=1,bytes=2=;zeta=9;alpha=8": {with(func(q *Quota) { q.Count, q.Bytes = 1, 2 }), "count=1,bytes=2=;alpha=8;zeta=9"},
	} {
		got := ParseQuota([]byte(in))
		if got.Count != want.q.Count || got.Bytes != want.q.Bytes || got.CountHardLimit != want.q.CountHardLimit ||
			got.ByteHardLimit != want.q.ByteHardLimit {
			t.Errorf("%q: %+v, want %+v", in, got, want.q)
		}
		if text := string(got.Append(nil)); text != want.text {
			t.Errorf("%q: written as %q, want %q", in, text, want.text)
		}
	}
	limits := Quota{Count: 3, Bytes: -1, CountHardLimit: 7, ByteHardLimit: -1}
	if text := string(limits.Append(nil)); text != "count=3,bytes=-1=;countHardLimit=7" {
		t.Errorf("made by hand: %q", text)
	}
}

func FuzzParseQuota(f *testing.F) {
	f.Add([]byte("count=1,bytes=2=;countHardLimit=3;byteHardLimit=4"))
	f.Add([]byte("a=1;b=,c==;=4,count=-9223372036854775808"))
	f.Fuzz(func(t *testing.T, in []byte) {
		q := ParseQuota(in)
		text := string(q.Append(nil))
		again := ParseQuota([]byte(text))
		if got := string(again.Append(nil)); got != text {
			t.Fatalf("%q is written as %q, then as %q", in, text, got)
		}
	})
}

// run applies bodies, each with the next zxid, and wants them to succeed.
func run(t *testing.T, tree *Tree, bodies ...txn.Body) *Result {
	t.Helper()
	var r Result
	for _, b := range bodies {
		b.ParentCversion, b.ACL = -1, openText
		tree.Apply(&txn.Txn{Header: txn.Header{ClientID: 1, Zxid: tree.Zxid() + 1, Type: b.Type}, Body: b}, &r)
		if r.Code != proto.OK {
			t.Fatalf("%v %q: %v", b.Type, b.Path, r.Code)
		}
	}
	return &r
}

func born(path, data string) txn.Body {
	return txn.Body{Type: proto.OpCreate, Path: path, Data: []byte(data)}
}

func TestQuotaCounts(t *testing.T) {
	tree := New()
	defer tree.Close()
	want := func(path, quota string, count, bytes int64) {
		t.Helper()
		got, limits, stats, ok := tree.QuotaFor(path)
		if got != quota || ok != (quota != "") || ok && (limits.Count != 9 || stats.Count != count || stats.Bytes != bytes) {
			t.Fatalf("%q: %q %v, limits %+v, used %+v; want %q with %d, %d bytes", path, got, ok, limits, stats, quota, count, bytes)
		}
	}
	if tree.HasQuotas() {
		t.Fatal("quotas from the start")
	}
	run(t, tree, born("/a", "12"), born("/a/b", "345"), born("/ab", ""),
		born(QuotaPath+"/a", ""), born(QuotaPath+"/a/"+limitsName, "count=9,bytes=-1"), born(QuotaPath+"/a/"+statsName, ""))
	want("/a", "/a", 2, 5)
	want("/a/b/c/d", "/a", 2, 5)
	want("/ab", "", 0, 0)
	want("/", "", 0, 0)
	run(t, tree, born("/a/c", "6"), txn.Body{Type: proto.OpSetData, Path: "/a", Data: []byte("1")})
	want("/a", "/a", 3, 5)
	run(t, tree, born(QuotaPath+"/a/b", ""), born(QuotaPath+"/a/b/"+statsName, ""), born(QuotaPath+"/a/b/"+limitsName, "count=9"))
	want("/a/b/x", "/a/b", 1, 3)
	run(t, tree, born("/a/b/x", "1"), txn.Body{Type: proto.OpDelete, Path: "/a/c"})
	want("/a/b/x", "/a/b", 2, 4) // only the nearest quota counts
	want("/a", "/a", 2, 4)
	run(t, tree, txn.Body{Type: proto.OpDelete, Path: QuotaPath + "/a/b/" + limitsName})
	want("/a/b/x", "/a", 2, 4)
	must(t, tree.Check())
}
