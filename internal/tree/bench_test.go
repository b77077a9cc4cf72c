package tree

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
)

const benchNodes = 1_000_000

func benchPath(i int) string { return fmt.Sprintf("/bench/n%07d", i) }

func create(zxid int64, path string, data []byte) *txn.Txn {
	return &txn.Txn{Header: txn.Header{ClientID: 1, Zxid: zxid, Time: 1_700_000_000_000 + zxid, Type: proto.OpCreate},
		Body: txn.Body{Type: proto.OpCreate, Path: path, Data: data, ACL: openText, ParentCversion: -1}}
}

// buildTree has n znodes of 100 bytes below /bench.
func buildTree(n int) *Tree {
	t := New()
	var r Result
	t.Apply(create(1, "/bench", nil), &r)
	data := []byte(strings.Repeat("x", 100))
	tx := create(0, "", data)
	for i := range n {
		tx.Zxid, tx.Path = int64(i)+2, benchPath(i)
		t.Apply(tx, &r)
	}
	return t
}

func benchTree(tb testing.TB, n int) *Tree {
	tb.Helper()
	t := buildTree(n)
	tb.Cleanup(t.Close)
	return t
}

// sharedTree is one benchTree for all runs of the benchmarks that leave it as
// large as it was.
var sharedTree = sync.OnceValue(func() *Tree { return buildTree(benchNodes) })

func randomPaths(n, count int) []string {
	rnd := rand.New(rand.NewPCG(1, 1))
	paths := make([]string, count)
	for i := range paths {
		paths[i] = benchPath(rnd.IntN(n))
	}
	return paths
}

func BenchmarkFind(b *testing.B) {
	t := sharedTree()
	paths := randomPaths(benchNodes, 1<<17)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if t.Find(paths[i&(len(paths)-1)]) == 0 {
			b.Fatal("lost")
		}
		i++
	}
}

// BenchmarkNear is BenchmarkFind after Near.
func BenchmarkNear(b *testing.B) {
	t := sharedTree()
	paths := randomPaths(benchNodes, 1<<17)
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += nearBatch {
		some := paths[i&(len(paths)-1):][:nearBatch]
		t.near(some)
		for _, p := range some {
			if t.Find(p) == 0 {
				b.Fatal("lost")
			}
		}
	}
}

func BenchmarkGet(b *testing.B) {
	t := sharedTree()
	paths := randomPaths(benchNodes, 1<<17)
	out := make([]byte, 0, 4096)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		t.RLock(1)
		n := t.Find(paths[i&(len(paths)-1)])
		out = append(out[:0], t.Data(n)...)
		out = t.AppendStat(out, n)
		t.RUnlock(1)
		i++
	}
}

// BenchmarkHot reads what is in the processor's caches.
func BenchmarkHot(b *testing.B) {
	t := benchTree(b, 200)
	paths := randomPaths(200, 1024)
	nodes := make([]Node, 2)
	out := make([]byte, 0, 256)
	b.Run("find", func(b *testing.B) {
		for i := range b.N {
			nodes[0] = t.Find(paths[i&1023])
		}
	})
	b.Run("stat", func(b *testing.B) {
		for range b.N {
			out = t.AppendStat(out[:0], nodes[0])
		}
	})
	b.Run("meta", func(b *testing.B) {
		for range b.N {
			m := t.Meta(nodes[0])
			nodes[1] = Node(m.ACL)
		}
	})
	b.Run("set", func(b *testing.B) {
		var r Result
		tx := &txn.Txn{Header: txn.Header{Zxid: 1 << 32, Type: proto.OpSetData},
			Body: txn.Body{Type: proto.OpSetData, Data: make([]byte, 100)}}
		for i := range b.N {
			tx.Zxid++
			tx.Path = paths[i&1023]
			t.Apply(tx, &r)
		}
	})
	b.Run("createDelete", func(b *testing.B) {
		var r Result
		c := create(1<<33, "/bench/new", make([]byte, 100))
		d := &txn.Txn{Header: txn.Header{Type: proto.OpDelete}, Body: txn.Body{Type: proto.OpDelete, Path: "/bench/new"}}
		for range b.N {
			c.Zxid += 2
			d.Zxid = c.Zxid + 1
			t.Apply(c, &r)
			t.Apply(d, &r)
		}
	})
	b.Run("lock", func(b *testing.B) {
		for range b.N {
			t.Lock()
			t.zxid++ // something to guard
			t.Unlock()
		}
	})
	b.Run("rlock", func(b *testing.B) {
		for range b.N {
			t.RLock(3)
			t.RUnlock(3)
		}
	})
	b.Run("freeze", func(b *testing.B) {
		for range b.N {
			t.Lock()
			v := t.Freeze()
			t.Unlock()
			v.Close()
		}
	})
}

func BenchmarkSet(b *testing.B) {
	t := sharedTree()
	paths := randomPaths(benchNodes, 1<<17)
	data := []byte(strings.Repeat("y", 100))
	tx := &txn.Txn{Header: txn.Header{Zxid: 1 << 32, Type: proto.OpSetData}, Body: txn.Body{Type: proto.OpSetData, Data: data}}
	var r Result
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		tx.Zxid++
		tx.Time = tx.Zxid
		tx.Version++
		tx.Path = paths[i&(len(paths)-1)]
		t.Apply(tx, &r)
		i++
	}
}

func BenchmarkCreateDelete(b *testing.B) {
	t := sharedTree()
	var paths []string
	for i := range 1 << 16 {
		paths = append(paths, fmt.Sprintf("/bench/x%07d", i))
	}
	data := []byte(strings.Repeat("y", 100))
	c := create(1<<32, "", data)
	d := &txn.Txn{Header: txn.Header{Type: proto.OpDelete}, Body: txn.Body{Type: proto.OpDelete}}
	var r Result
	b.Run("create", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; i < b.N; i++ {
			if i&(len(paths)-1) == 0 {
				b.StopTimer()
				for _, p := range paths {
					d.Path = p
					d.Zxid++
					t.Apply(d, &r)
				}
				b.StartTimer()
			}
			c.Zxid++
			c.Path = paths[i&(len(paths)-1)]
			t.Apply(c, &r)
		}
	})
	b.Run("delete", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; i < b.N; i++ {
			if i&(len(paths)-1) == 0 {
				b.StopTimer()
				for _, p := range paths {
					c.Path = p
					c.Zxid++
					t.Apply(c, &r)
				}
				b.StartTimer()
			}
			d.Zxid++
			d.Path = paths[i&(len(paths)-1)]
			t.Apply(d, &r)
		}
	})
}

func BenchmarkCreateMillion(b *testing.B) {
	data := []byte(strings.Repeat("x", 100))
	paths := make([]string, benchNodes)
	for i := range paths {
		paths[i] = benchPath(i)
	}
	tx := create(0, "", data)
	for b.Loop() {
		t := New()
		var r Result
		t.Apply(create(1, "/bench", nil), &r)
		for i, p := range paths {
			tx.Zxid, tx.Path = int64(i)+2, p
			t.Apply(tx, &r)
		}
		u := t.Usage()
		b.ReportMetric(float64(u.Mapped)/benchNodes, "mapped-B/znode")
		b.ReportMetric(float64(u.Used)/benchNodes, "used-B/znode")
		b.ReportMetric(float64(t.index.bytes)/benchNodes, "index-B/znode")
		t.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchNodes, "ns/create")
}

// BenchmarkFootprint tells what a process takes for a million znodes of 100
// bytes, all told, and how much of that is beside the tree.
func BenchmarkFootprint(b *testing.B) {
	before := residentBytes(b)
	t := benchTree(b, benchNodes)
	debug.FreeOSMemory()
	for b.Loop() {
		after := residentBytes(b)
		b.ReportMetric(float64(after)/benchNodes, "rss-B/znode")
		b.ReportMetric(float64(after-before)/benchNodes, "grown-B/znode")
	}
	b.ReportMetric(float64(t.Usage().Mapped)/benchNodes, "mapped-B/znode")
}

func residentBytes(b *testing.B) int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("no /proc here: ", err)
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		b.Fatal(err)
	}
	return resident * int64(os.Getpagesize())
}

func BenchmarkNodeDigest(b *testing.B) {
	st := proto.StatPersisted{Czxid: 1, Mzxid: 2, Pzxid: 3}
	var sum uint64
	for b.Loop() {
		st.Mzxid++
		sum += NodeDigest(7, &st)
	}
	_ = sum
}

func BenchmarkAppendChildren(b *testing.B) {
	t := benchTree(b, 1000)
	n := t.Find("/bench")
	out := make([]byte, 0, 1<<20)
	b.ReportAllocs()
	for b.Loop() {
		out = t.AppendChildren(out[:0], n)
	}
}

func BenchmarkLoad(b *testing.B) {
	b.Run("alone", func(b *testing.B) { benchmarkLoad(b, false) })
	b.Run("parallel", func(b *testing.B) { benchmarkLoad(b, true) })
}

func benchmarkLoad(b *testing.B, parallel bool) {
	paths := make([]string, benchNodes)
	for i := range paths {
		paths[i] = benchPath(i)
	}
	data := []byte(strings.Repeat("x", 100))
	for b.Loop() {
		l := NewLoader()
		if parallel {
			l.Parallel()
		}
		st := proto.StatPersisted{Czxid: 5, Mzxid: 5, Pzxid: 5, Ctime: 7, Mtime: 7}
		must(b, l.AddNode("", []byte{}, -1, &st))
		must(b, l.AddNode("/bench", []byte{}, -1, &st))
		for _, p := range paths {
			if err := l.AddNode(p, data, -1, &st); err != nil {
				b.Fatal(err)
			}
		}
		t, _, err := l.Finish(9)
		must(b, err)
		t.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchNodes, "ns/znode")
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
