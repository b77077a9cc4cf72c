package tree

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
)

func TestNew(t *testing.T) {
	tree := New()
	defer tree.Close()
	for path, want := range map[string]struct {
		perms    int32
		children int
		cversion int32 // visible
		aversion int32
	}{
		"/":        {proto.PermAll, 1, -1, 0},
		ProcPath:   {proto.PermAll, 2, -2, 0},
		QuotaPath:  {proto.PermAll, 0, 0, 0},
		ConfigPath: {proto.PermRead, 0, 0, -1},
	} {
		n := tree.Find(path)
		st := tree.Stat(n)
		if perms := tree.ACLByID(tree.ACLID(n))[0].Perms; perms != want.perms || tree.NumChildren(n) != want.children ||
			st.Cversion != want.cversion || st.Aversion != want.aversion || tree.Data(n) == nil || len(tree.Data(n)) != 0 {
			t.Errorf("%s: %+v, permissions %d, data %v", path, st, perms, tree.Data(n))
		}
	}
	if tree.NodeCount() != 5 || tree.AllChildren(root) != 3 || tree.Parent(tree.Find(QuotaPath)) != tree.Find(ProcPath) {
		t.Errorf("%d znodes, %d below the root", tree.NodeCount(), tree.AllChildren(root))
	}
	must(t, tree.Check())
}

// A tree from before there was a configuration gets one; others keep theirs.
func TestAddConfigNode(t *testing.T) {
	l := NewLoader()
	var st proto.StatPersisted
	must(t, l.AddNode("", nil, OpenACLID, &st))
	must(t, l.AddNode(ProcPath, nil, OpenACLID, &st))
	tree, _, err := l.Finish(1)
	must(t, err)
	defer tree.Close()
	tree.AddConfigNode()
	n := tree.Find(ConfigPath)
	tree.AddConfigNode()
	if n == 0 || tree.Find(ConfigPath) != n || tree.Stat(n).Aversion != -1 {
		t.Fatalf("configuration %d", n)
	}
	must(t, tree.Check())
}

func TestNoDigest(t *testing.T) {
	tree := New(Options{NoDigest: true})
	defer tree.Close()
	run(t, tree, born("/a", "1"), born("/a/b", "2"), txn.Body{Type: proto.OpSetData, Path: "/a", Data: []byte("3")},
		txn.Body{Type: proto.OpSetACL, Path: "/a", Version: 1}, txn.Body{Type: proto.OpDelete, Path: "/a/b"})
	var r Result
	tree.Apply(&txn.Txn{Header: txn.Header{Zxid: 9, Type: proto.OpError}, HasDigest: true, DigestVersion: txn.DigestVersion,
		TreeDigest: 7}, &r)
	if tree.Digest() != 0 || r.Mismatch {
		t.Fatalf("digest %#x, mismatch %v", tree.Digest(), r.Mismatch)
	}
	must(t, tree.Check())
}

// A View lists children as they were, though the parent's go on.
func TestViewAppendChildren(t *testing.T) {
	tree := New()
	defer tree.Close()
	run(t, tree, born("/p", ""))
	var want []string
	for i := range 3000 {
		want = append(want, fmt.Sprint("child", i))
		run(t, tree, born("/p/"+want[i], ""))
	}
	tree.Lock()
	p := tree.Find("/p")
	v := tree.Freeze()
	tree.Unlock()
	defer v.Close()
	for i := range 3000 {
		if i%2 == 0 {
			run(t, tree, txn.Body{Type: proto.OpDelete, Path: "/p/" + want[i]})
		}
	}
	run(t, tree, born("/p/later", ""))
	if got := v.AppendChildren([]byte{9}, p); !bytes.Equal(got[1:], jute.AppendStrings(nil, want)) || got[0] != 9 {
		t.Fatalf("%d bytes of children", len(got))
	}
	if v.AllChildren(p) != 3000 || tree.AllChildren(p) != 1501 {
		t.Fatalf("%d below in the view, %d now", v.AllChildren(p), tree.AllChildren(p))
	}
}

// What cannot be is refused without harm.
func TestApplyRefuses(t *testing.T) {
	tree := New()
	defer tree.Close()
	run(t, tree, born("/a", ""))
	var r Result
	for _, tc := range []struct {
		b    txn.Body
		want proto.Code
	}{
		{txn.Body{Type: proto.OpCreate, Path: "a", ACL: openText}, proto.BadArguments},
		{txn.Body{Type: proto.OpCreate, Path: "", ACL: openText}, proto.BadArguments},
		{txn.Body{Type: proto.OpCreate, Path: "/a/", ACL: openText}, proto.BadArguments},
		{txn.Body{Type: proto.OpCreate, Path: "//b", ACL: openText}, proto.BadArguments},
		{txn.Body{Type: proto.OpCreate, Path: "/", ACL: openText}, proto.NodeExists},
		{txn.Body{Type: proto.OpCreate, Path: "/x/y", ACL: openText}, proto.NoNode},
		{txn.Body{Type: proto.OpCreate, Path: "/b", ACL: []byte{0, 0, 0, 9}}, proto.MarshallingError},
		{txn.Body{Type: proto.OpDelete, Path: "/"}, proto.BadArguments},
		{txn.Body{Type: proto.OpDelete, Path: "/x"}, proto.NoNode},
		{txn.Body{Type: proto.OpSetData, Path: "//a"}, proto.NoNode},
		{txn.Body{Type: proto.OpSetACL, Path: "/a", ACL: []byte{1}}, proto.MarshallingError},
		{txn.Body{Type: proto.OpSetACL, Path: "/x", ACL: openText}, proto.NoNode},
	} {
		tree.Apply(&txn.Txn{Header: txn.Header{Zxid: 2, Type: tc.b.Type}, Body: tc.b}, &r)
		if r.Code != tc.want || len(r.Changes) != 0 {
			t.Errorf("%v %q: %v, want %v; changes %v", tc.b.Type, tc.b.Path, r.Code, tc.want, r.Changes)
		}
		must(t, tree.Check())
	}
}

// A list that the last znode lost stays known until the next transaction, and
// its number is given out again after that.
func TestListsComeAndGo(t *testing.T) {
	tree := New()
	defer tree.Close()
	list := func(id string) []byte {
		return proto.AppendACLs(nil, []proto.ACL{{Perms: 1, Scheme: "ip", ID: id}})
	}
	var r Result
	apply := func(b txn.Body) {
		b.ParentCversion = -1
		tree.Apply(&txn.Txn{Header: txn.Header{Zxid: tree.Zxid() + 1, Type: b.Type}, Body: b}, &r)
		must(t, tree.Check())
	}
	before := tree.ACLCount()
	apply(txn.Body{Type: proto.OpCreate, Path: "/a", ACL: list("1")})
	was := tree.ACLID(tree.Find("/a"))
	apply(txn.Body{Type: proto.OpDelete, Path: "/a"})
	if r.Changes[0].ACLID != was || tree.ACLByID(was)[0].ID != "1" {
		t.Fatalf("changes %v", r.Changes)
	}
	apply(txn.Body{Type: proto.OpCreate, Path: "/b", ACL: list("2")})
	if id := tree.ACLID(tree.Find("/b")); id != was || tree.ACLCount() != before+1 {
		t.Fatalf("number %d, want %d; %d lists", id, was, tree.ACLCount())
	}
	v := tree.Freeze()
	apply(txn.Body{Type: proto.OpSetACL, Path: "/b", ACL: list("3"), Version: 1})
	apply(txn.Body{Type: proto.OpCheck})
	found := false
	for id, acl := range v.ACLs {
		found = found || uint32(id) == was && acl[0].ID == "2"
	}
	if !found {
		t.Fatal("a view lost its list")
	}
	v.Close()
	apply(txn.Body{Type: proto.OpCheck})
	if tree.ACLCount() != before+1 {
		t.Fatalf("%d lists", tree.ACLCount())
	}
}

// Nothing in the way of a request asks Go's heap for memory.
func TestNoAllocations(t *testing.T) {
	tree := New()
	defer tree.Close()
	run(t, tree, born("/a", ""))
	data := make([]byte, 100)
	bodies := []txn.Body{
		{Type: proto.OpCreate2, Path: "/a/b", Data: data, ACL: openText, ParentCversion: -1},
		{Type: proto.OpSetData, Path: "/a/b", Data: data},
		{Type: proto.OpSetACL, Path: "/a/b", ACL: openText},
		{Type: proto.OpDelete, Path: "/a/b"},
	}
	var r Result
	var tx txn.Txn
	out := make([]byte, 0, 1000)
	round := func() {
		for _, b := range bodies {
			tx.Zxid++
			tx.Header.Type, tx.Body = b.Type, b
			tree.Lock()
			tree.Apply(&tx, &r)
			tree.Unlock()
			if r.Code != proto.OK {
				t.Fatal(r.Code)
			}
		}
		tree.RLock(1)
		n := tree.Find("/a")
		m := tree.Meta(n)
		out = tree.AppendStat(out[:0], n)
		out = tree.AppendChildren(out, n)
		out = append(out, tree.Data(n)...)
		if NodeDigest(m.PathDataCRC, &m.StatPersisted) == 0 {
			t.Fatal("no digest")
		}
		tree.RUnlock(1)
	}
	for range 100 {
		round()
	}
	if n := testing.AllocsPerRun(200, round); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
