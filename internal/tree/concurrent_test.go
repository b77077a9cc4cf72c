package tree

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
)

// Readers and Views beside a writer always see a state between two
// transactions: here the data of two znodes is changed by one multi, to the same
// text, and a third comes and goes with the text's parity.
func TestReadersSeeWholeTransactions(t *testing.T) {
	tree := New(Options{poison: true})
	defer tree.Close()
	var r Result
	for _, p := range []string{"/x", "/y", "/d"} {
		tree.Apply(create(1, p, []byte("0")), &r)
	}
	text := func(i int) []byte { return bytes.Repeat([]byte(fmt.Sprint(i, " ")), 1+i%50) }
	var wg sync.WaitGroup
	for slot := range uint32(3) {
		wg.Go(func() {
			for range 20000 {
				tree.RLock(slot)
				x, y := tree.Find("/x"), tree.Find("/y")
				if !bytes.Equal(tree.Data(x), tree.Data(y)) || tree.Stat(x).Mzxid != tree.Stat(y).Mzxid {
					t.Errorf("x %q, y %q", tree.Data(x), tree.Data(y))
				}
				if n := tree.Find("/d/e"); n != 0 && tree.Stat(n).Czxid != tree.Stat(x).Mzxid {
					t.Errorf("/d/e of %d at %d", tree.Stat(n).Czxid, tree.Stat(x).Mzxid)
				}
				tree.RUnlock(slot)
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for range 300 {
				tree.Lock()
				v := tree.Freeze()
				tree.Unlock()
				seen := map[string]string{}
				err := v.Walk(func(path string, data []byte, _ int64, _ *proto.StatPersisted) error {
					seen[path] = string(data)
					return nil
				})
				if err != nil || seen["/x"] != seen["/y"] {
					t.Errorf("view: x %q, y %q, %v", seen["/x"], seen["/y"], err)
				}
				v.Close()
			}
		})
	}
	for i := range 3000 {
		tx := txn.Txn{Header: txn.Header{Zxid: int64(i) + 2, Type: proto.OpMulti}, Subs: []txn.Body{
			{Type: proto.OpSetData, Path: "/x", Data: text(i)}, {Type: proto.OpSetData, Path: "/y", Data: text(i)}}}
		if i%2 == 0 {
			tx.Subs = append(tx.Subs, txn.Body{Type: proto.OpCreate, Path: "/d/e", ACL: openText, ParentCversion: -1})
		} else {
			tx.Subs = append(tx.Subs, txn.Body{Type: proto.OpDelete, Path: "/d/e"})
		}
		tree.Lock()
		tree.Apply(&tx, &r)
		tree.Unlock()
		if r.Code != proto.OK {
			t.Fatal(r.Code)
		}
	}
	wg.Wait()
	must(t, tree.Check())
}

// What a View keeps alive is freed when it is closed, also with others around.
func TestViewsGiveBack(t *testing.T) {
	tree := New(Options{poison: true})
	defer tree.Close()
	var r Result
	for i := range 5000 {
		tree.Apply(create(int64(i+1), fmt.Sprintf("/n%d", i), make([]byte, 50)), &r)
	}
	set := func(zxid int64, n int) {
		for i := range 5000 {
			tree.Apply(&txn.Txn{Header: txn.Header{Zxid: zxid, Type: proto.OpSetData},
				Body: txn.Body{Type: proto.OpSetData, Path: fmt.Sprintf("/n%d", i), Data: make([]byte, n)}}, &r)
		}
	}
	set(5999, 50)
	before := tree.Usage().Used
	a := tree.Freeze()
	set(6000, 60)
	b := tree.Freeze()
	set(6001, 70)
	set(6002, 80)
	if grown := tree.Usage().Used; grown < before*2 {
		t.Fatalf("%d bytes with two views, %d before", grown, before)
	}
	b.Close()
	must(t, tree.Check())
	count := 0
	must(t, a.Walk(func(_ string, data []byte, _ int64, _ *proto.StatPersisted) error {
		if len(data) == 50 {
			count++
		}
		return nil
	}))
	if count != 5000 {
		t.Fatalf("%d znodes as they were", count)
	}
	a.Close()
	set(6003, 50)
	must(t, tree.Check())
	if after := tree.Usage().Used; after != before {
		t.Fatalf("%d bytes after the views, %d before", after, before)
	}
}
