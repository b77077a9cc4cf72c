package tree

import (
	"bytes"
	"encoding/base64"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
)

// The golden files hold transactions and what DataTree of Apache ZooKeeper
// 3.9.4 did with them: errors, digests, stats, watches triggered and the tree
// in the end. To ask it anew:
//
//	ZOOKEEPER_LIB=<lib of a ZooKeeper distribution> go test ./internal/tree -run Apache -update
var update = flag.Bool("update", false, "rewrite the golden files by asking Apache's DataTree")

func TestLikeApache(t *testing.T) {
	for name, opt := range map[string]Options{
		"plain": {}, "extended": {ExtendedTypes: true},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", "apache_"+name+".golden")
			if *update {
				askApache(t, file, opt, apacheHistory(opt))
			}
			text, err := os.ReadFile(file)
			must(t, err)
			opt.poison = true
			tree := New(opt)
			defer tree.Close()
			var tx txn.Txn
			var r Result
			var dumped []string
			for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
				entry, want, ok := strings.Cut(line, " -> ")
				if !ok {
					dumped = append(dumped, line)
					continue
				}
				must(t, txn.Decode(unbase64(t, entry), &tx))
				tree.Apply(&tx, &r)
				if got := describe(tree, &tx, &r); got != want {
					t.Fatalf("%s:%d: %v %q\n did %s\nwant %s", file, i+1, tx.Header.Type, tx.Path, got, want)
				}
			}
			compareLines(t, dump(tree), dumped)
			must(t, tree.Check())
		})
	}
}

func compareLines(t *testing.T, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("line %d of the dump:\n got %q\nwant %q", i, got[min(i, len(got)):], want[min(i, len(want)):])
		}
	}
}

func unbase64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	must(t, err)
	return b
}

func base64Of(b []byte) string {
	if b == nil {
		return "null"
	}
	return base64.StdEncoding.EncodeToString(b)
}

// describe says what applying did, in the words of testdata/Oracle.java.
func describe(t *Tree, tx *txn.Txn, r *Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %d", r.Code, r.Digest)
	stat := func(prefix string, o *Outcome) {
		// Apache's plain create has no use for the stat.
		if o.HasStat && o.Type != proto.OpCreate {
			b.WriteString(prefix + base64Of(o.Stat.Append(nil)))
		}
	}
	stat(" s:", &r.Outcome)
	for i := range r.Multi {
		fmt.Fprintf(&b, " m:%d", r.Multi[i].Code)
		stat(":", &r.Multi[i])
	}
	for _, c := range r.Changes {
		tables := map[proto.EventType]string{proto.EventNodeCreated: "d", proto.EventNodeDataChanged: "d",
			proto.EventNodeDeleted: "dc", proto.EventNodeChildrenChanged: "c"}[c.Type]
		for _, table := range tables {
			fmt.Fprintf(&b, " %c:%d:%s:%s", table, c.Type, base64Of([]byte(c.Path)), base64Of(proto.AppendACLs(nil, t.ACLByID(c.ACLID))))
		}
	}
	return b.String()
}

// dump lists the whole tree, in the words of testdata/Oracle.java.
func dump(t *Tree) []string {
	var lines []string
	var walk func(n Node, path string)
	walk = func(n Node, path string) {
		st, m := t.Stat(n), t.Meta(n)
		lines = append(lines, fmt.Sprintf("n:%s:%s:%s:%s:%s:%d", base64Of([]byte(path)), base64Of(st.Append(nil)),
			base64Of(m.StatPersisted.Append(nil)), base64Of(t.Data(n)), base64Of(proto.AppendACLs(nil, t.ACLByID(m.ACL))), t.AllChildren(n)))
		kids := map[string]Node{}
		for c := t.FirstChild(n); c != 0; c = t.NextSibling(c) {
			kids[string(t.Name(c))] = c
		}
		for _, name := range sortedKeys(kids) {
			walk(kids[name], path+"/"+name)
		}
	}
	walk(root, "")
	sessions := map[int64][]string{}
	for s := range t.EphemeralOwners {
		for n := range t.Ephemerals(s) {
			sessions[s] = append(sessions[s], string(t.Path(nil, n)))
		}
	}
	for _, s := range sortedKeys(sessions) {
		slices.Sort(sessions[s])
		for _, p := range sessions[s] {
			lines = append(lines, fmt.Sprintf("e:%d:%s", s, base64Of([]byte(p))))
		}
	}
	return append(lines, fmt.Sprintf("t:%d:%d:%d:%d:%d:%d", t.NodeCount(), t.ApproximateDataSize(), t.EphemeralCount(),
		t.ContainerCount(), t.TTLCount(), t.Zxid()))
}

func sortedKeys[K string | int64, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// apacheHistory is what Apache's DataTree is asked: valid transactions, some of
// them twice.
//
// Two things that the tree does better after a fuzzy snapshot are left out:
// deleting a znode that has children again, and creating one again by anything
// but a plain create, where Apache forgets the parent's cversion.
func apacheHistory(opt Options) []txn.Txn {
	h := &history{m: newModel(opt), rnd: rand.New(rand.NewPCG(11, 13)), quotas: true}
	var all []txn.Txn
	for range 500 {
		h.step()
		all = append(all, h.log[len(h.log)-1])
		if h.rnd.IntN(8) > 0 {
			continue
		}
		again := h.log[h.rnd.IntN(len(h.log))]
		if h.sameAgain(&again) {
			h.m.apply(&again)
			all = append(all, again)
		}
	}
	return all
}

func (h *history) sameAgain(tx *txn.Txn) bool {
	switch tx.Header.Type {
	case proto.OpDelete, proto.OpDeleteContainer:
		return len(h.m.order[tx.Path]) == 0
	case proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
		parent, _ := splitPath(tx.Path)
		return h.m.nodes[tx.Path] == nil || h.m.nodes[parent].st.Cversion >= tx.ParentCversion
	case proto.OpMulti:
		return false
	case proto.OpCloseSession:
		return !slices.ContainsFunc(tx.Paths, func(p string) bool { return len(h.m.order[p]) > 0 })
	}
	return true
}

// askApache writes a golden file.
func askApache(t *testing.T, file string, opt Options, txns []txn.Txn) {
	t.Helper()
	lib := os.Getenv("ZOOKEEPER_LIB")
	if lib == "" {
		t.Fatal("ZOOKEEPER_LIB does not name the lib of a ZooKeeper distribution")
	}
	var in bytes.Buffer
	for i := range txns {
		in.WriteString(base64Of(txns[i].Append(nil)) + "\n")
	}
	in.WriteString("dump\n")
	classes, jars := t.TempDir(), filepath.Join(lib, "*")
	if out, err := exec.Command("javac", "-cp", jars, "-d", classes, "testdata/Oracle.java").CombinedOutput(); err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	cmd := exec.Command("java", "-cp", classes+string(os.PathListSeparator)+jars, "-Dzookeeper.extendedTypesEnabled="+strconv.FormatBool(opt.ExtendedTypes),
		"-Dzookeeper.emulate353TTLNodes="+strconv.FormatBool(opt.Emulate353TTL), "Oracle")
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	must(t, err)
	var golden bytes.Buffer
	for i, line := range strings.SplitAfter(string(out), "\n") {
		if i < len(txns) {
			golden.WriteString(base64Of(txns[i].Append(nil)) + " -> ")
		}
		golden.WriteString(line)
	}
	must(t, os.WriteFile(file, golden.Bytes(), 0o644))
}
