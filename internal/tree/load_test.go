package tree

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
)

func TestLoaderRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		paths []string
		says  string
	}{
		"nothing":           {nil, "no znodes"},
		"no root first":     {[]string{"/a", ""}, "not the root"},
		"root twice":        {[]string{"", "/a", ""}, "root stands twice"},
		"no parent":         {[]string{"", "/a/b"}, `parent of "/a/b" is missing`},
		"parent after":      {[]string{"", "/a", "/b/c", "/b"}, `parent of "/b/c" is missing`},
		"twice":             {[]string{"", "/a", "/b", "/a"}, `"/a" stands twice`},
		"no slash":          {[]string{"", "a"}, `path "a"`},
		"slash at the end":  {[]string{"", "/a", "/a/"}, `path "/a/"`},
		"slash alone":       {[]string{"", "/"}, `path "/"`},
		"two slashes":       {[]string{"", "/a", "//a"}, `path "//a"`},
		"parent's name cut": {[]string{"", "/ab", "/a/c"}, "missing"},
	} {
		t.Run(name, func(t *testing.T) {
			l := NewLoader(Options{poison: true})
			defer l.Abort()
			var st proto.StatPersisted
			var first error
			for _, p := range tc.paths {
				if err := l.AddNode(p, nil, OpenACLID, &st); first == nil {
					first = err
				}
			}
			_, _, err := l.Finish(1)
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("error %v, want one that says %q", err, tc.says)
			}
			if first != nil && !errors.Is(first, ErrInvalid) {
				t.Fatalf("unmarked error %v", first)
			}
		})
	}
}

// Znodes may come in any order that has parents first.
func TestLoaderTakesAnyOrder(t *testing.T) {
	for _, parallel := range []bool{false, true} {
		l := NewLoader(Options{poison: true})
		if parallel {
			l.Parallel()
			l.Parallel()
		}
		st := proto.StatPersisted{Czxid: 3, Mzxid: 4, Pzxid: 5, Version: 2}
		must(t, l.AddNode("", nil, OpenACLID, &st))
		var want uint64
		want += slowDigest("", nil, &st)
		for depth := range 3 { // breadth first
			for i := range 1000 {
				p := fmt.Sprintf("/n%d", i) + strings.Repeat("/x", depth)
				must(t, l.AddNode(p, []byte(p), OpenACLID, &st))
				want += slowDigest(p, []byte(p), &st)
			}
		}
		tree, _, err := l.Finish(9)
		must(t, err)
		if tree.Digest() != want || tree.Zxid() != 9 {
			t.Fatalf("digest %#x, want %#x; zxid %d", tree.Digest(), want, tree.Zxid())
		}
		must(t, tree.Check())
		tree.Close()
	}
}

// A list that the snapshot does not have lets nobody in until a transaction
// brings it (ZOOKEEPER-4846).
func TestLoaderToleratesMissingLists(t *testing.T) {
	l := NewLoader()
	var st proto.StatPersisted
	must(t, l.AddNode("", nil, OpenACLID, &st))
	must(t, l.AddNode("/a", nil, 7, &st))
	must(t, l.AddNode("/b", nil, 7, &st))
	must(t, l.AddNode("/c", nil, 8, &st))
	if l.MissingACLs() != 2 {
		t.Fatalf("%d lists missing", l.MissingACLs())
	}
	tree, _, err := l.Finish(1)
	must(t, err)
	defer tree.Close()
	if acl := tree.ACLByID(tree.ACLID(tree.Find("/a"))); len(acl) != 1 || acl[0].Perms != 0 {
		t.Fatalf("list %v", acl)
	}
	run(t, tree, txn.Body{Type: proto.OpSetACL, Path: "/a", Version: 1})
	if id := tree.ACLID(tree.Find("/a")); id != OpenACL {
		t.Fatalf("list number %d", id)
	}
	must(t, tree.Check())
}

func TestLoaderACLs(t *testing.T) {
	l := NewLoader()
	if err := l.AddACL(OpenACLID, nil); !errors.Is(err, ErrInvalid) {
		t.Fatalf("error %v", err)
	}
	one := []proto.ACL{{Perms: 1, Scheme: "ip", ID: "1"}}
	must(t, l.AddACL(4, []proto.ACL{{Perms: 2, Scheme: "ip", ID: "2"}}))
	must(t, l.AddACL(4, one)) // the last one counts
	must(t, l.AddACL(5, one))
	must(t, l.AddACL(6, []proto.ACL{{Perms: 3, Scheme: "ip", ID: "3"}})) // nobody has it
	must(t, l.AddACL(9, proto.OpenACL()))
	var st proto.StatPersisted
	for i, p := range []string{"", "/a", "/b", "/c"} {
		must(t, l.AddNode(p, nil, []int64{-1, 4, 5, 9}[i], &st))
	}
	tree, _, err := l.Finish(1)
	must(t, err)
	defer tree.Close()
	a, b, c := tree.ACLID(tree.Find("/a")), tree.ACLID(tree.Find("/b")), tree.ACLID(tree.Find("/c"))
	if a != b || tree.ACLByID(a)[0] != one[0] || c != OpenACL || tree.ACLCount() != 1 {
		t.Fatalf("lists %d, %d, %d of %d", a, b, c, tree.ACLCount())
	}
	must(t, tree.Check())
}

// The digest of a snapshot counts when its zxid is reached; until then the tree
// is a mix, and no other digest is compared.
func TestFuzzyDigest(t *testing.T) {
	for name, tc := range map[string]struct {
		zxid       int64
		version    int32
		wrong      bool
		finish     bool // mismatch when finished
		mismatches []bool
	}{
		"none":               {0, 2, true, false, []bool{true, true, true}},
		"older":              {9, 2, true, false, []bool{true, true, true}},
		"at once":            {10, 2, true, true, []bool{true, true, true}},
		"at once, right":     {10, 2, false, false, []bool{true, true, true}},
		"later":              {12, 2, true, false, []bool{false, true, true}},
		"never reached":      {20, 2, true, false, []bool{false, false, false}},
		"of another version": {12, 3, true, false, []bool{false, false, true}},
	} {
		t.Run(name, func(t *testing.T) {
			l := NewLoader()
			st := proto.StatPersisted{}
			must(t, l.AddNode("", nil, OpenACLID, &st))
			digest := slowDigest("", nil, &st)
			if tc.wrong {
				digest++
			}
			l.SetDigest(tc.zxid, tc.version, digest)
			tree, mismatch, err := l.Finish(10)
			must(t, err)
			defer tree.Close()
			if mismatch != tc.finish {
				t.Fatalf("mismatch %v", mismatch)
			}
			var r Result
			for i, want := range tc.mismatches {
				tree.Apply(&txn.Txn{Header: txn.Header{Zxid: 11 + int64(i), Type: proto.OpError}, HasDigest: true,
					DigestVersion: txn.DigestVersion, TreeDigest: tree.Digest() + 5}, &r)
				if r.Mismatch != want || want && r.Digest == r.Want {
					t.Fatalf("transaction %d: mismatch %v", i, r.Mismatch)
				}
			}
		})
	}
}

// FuzzLoad loads what makes sense, and refuses the rest without harm.
func FuzzLoad(f *testing.F) {
	f.Add("\n/a\n/a/b\n/c", int64(1), int32(2), int64(3), true)
	f.Add("\n/zookeeper\n/zookeeper/quota\n/zookeeper/quota/a\n/zookeeper/quota/a/zookeeper_limits", int64(-1), int32(-1), int64(-1)<<63, false)
	f.Fuzz(func(t *testing.T, paths string, long int64, short int32, owner int64, parallel bool) {
		l := NewLoader(Options{ExtendedTypes: short%2 == 0, poison: true})
		if parallel {
			l.Parallel()
		}
		st := proto.StatPersisted{Czxid: long, Mzxid: long + int64(short), Pzxid: -long, Ctime: long, Mtime: -long,
			Version: short, Cversion: -short, Aversion: short, EphemeralOwner: owner}
		for i, p := range strings.Split(paths, "\n") {
			if err := l.AddNode(p, []byte(p), int64(i%3)-1, &st); err != nil && !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
		}
		tree, _, err := l.Finish(long)
		if err != nil {
			l.Abort()
			return
		}
		must(t, tree.Check())
		if got := tree.Meta(root).StatPersisted; got != st {
			t.Fatalf("stat %+v, want %+v", got, st)
		}
		tree.Close()
	})
}
