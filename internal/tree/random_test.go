package tree

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
)

var steps = flag.Int("tree.steps", 4000, "random transactions for each seed")

func slowDigest(path string, data []byte, st *proto.StatPersisted) uint64 {
	b := append([]byte(path), data...)
	for _, v := range []int64{st.Czxid, st.Mzxid, st.Pzxid, st.Ctime, st.Mtime} {
		b = jute.AppendLong(b, v)
	}
	for _, v := range []int32{st.Version, st.Cversion, st.Aversion} {
		b = jute.AppendInt(b, v)
	}
	return uint64(crc32.ChecksumIEEE(jute.AppendLong(b, st.EphemeralOwner)))
}

// driver applies random transactions to a tree and to the model, and compares.
type driver struct {
	tb    testing.TB
	t     *Tree
	m     *model
	r     Result
	pick  func(n int) int
	views []frozen
	log   []txn.Txn // what was applied, for applying again
	again int       // transactions of the log still to apply again
}

type frozen struct {
	v *View
	m *model
}

func newDriver(tb testing.TB, opt Options, pick func(int) int) *driver {
	opt.poison = true
	return &driver{tb: tb, t: New(opt), m: newModel(opt), pick: pick}
}

func (d *driver) close() {
	for len(d.views) > 0 {
		d.closeView(d.pick(len(d.views)))
	}
	d.checkAll()
	d.t.Close()
}

var segments = []string{"a", "b", "c", "dd", "ee", "n0000001", "größe", strings.Repeat("long", 50)}

func (d *driver) path() string {
	all := d.m.existing()
	p := all[d.pick(len(all))]
	switch d.pick(3) {
	case 0:
		return rootName(p)
	case 1:
		return p + "/" + segments[d.pick(len(segments))]
	}
	p = "/" + segments[d.pick(len(segments))]
	for d.pick(2) == 0 {
		p += "/" + segments[d.pick(len(segments))]
	}
	return p
}

func (d *driver) data() []byte {
	switch d.pick(12) {
	case 0:
		return nil
	case 1:
		return []byte{}
	case 2:
		return bytes.Repeat([]byte{byte(d.pick(256))}, d.pick(200_000))
	}
	return bytes.Repeat([]byte{byte(d.pick(256))}, 1+d.pick(300))
}

func (d *driver) acl() []byte {
	if d.pick(2) == 0 {
		return openText
	}
	return proto.AppendACLs(nil, []proto.ACL{{Perms: int32(1 + d.pick(4)), Scheme: "digest", ID: fmt.Sprint("user", d.pick(3))}})
}

func (d *driver) session() int64 { return int64(1+d.pick(3)) << 56 }

func (d *driver) body() txn.Body {
	b := txn.Body{Path: d.path(), ACL: d.acl()}
	switch d.pick(14) {
	case 0, 1, 2, 3, 4:
		b.Type = []proto.Op{proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL}[d.pick(4)]
		if b.Path == "/" {
			b.Path = "/a"
		}
		d.quotaPath(&b)
		b.Ephemeral = d.pick(4) == 0
		b.TTL = int64(1 + d.pick(1000))
		b.ParentCversion = -1
		if parent, _ := splitPath(b.Path); d.m.nodes[parent] != nil && d.pick(4) > 0 {
			b.ParentCversion = d.m.nodes[parent].st.Cversion + int32(d.pick(3))
		}
		if b.Data == nil {
			b.Data = d.data()
		}
	case 5, 6, 7:
		if b.Type = proto.OpDelete; d.pick(3) == 0 {
			b.Type = proto.OpDeleteContainer
		}
		if b.Path == "/" || strings.HasPrefix(b.Path, "/zookeeper") && d.pick(5) > 0 || b.Path == QuotaPath || b.Path == ProcPath {
			b.Path = "/a"
		}
	case 8, 9, 10, 11:
		b.Type, b.Data, b.Version = proto.OpSetData, d.data(), int32(d.pick(100))-1
		if strings.HasSuffix(b.Path, statsName) {
			b.Data = []byte("count=5,bytes=7")
		}
	case 12:
		b.Type, b.Version = proto.OpSetACL, int32(d.pick(5))
	default:
		b.Type = proto.OpCheck
	}
	return b
}

// quotaPath makes some creates set up a quota.
func (d *driver) quotaPath(b *txn.Body) {
	if d.pick(6) > 0 {
		return
	}
	b.Type = proto.OpCreate
	target := segments[d.pick(3)]
	switch d.pick(4) {
	case 0:
		b.Path = QuotaPath + "/" + target
	case 1:
		b.Path, b.Data = QuotaPath+"/"+target+"/"+limitsName, []byte("count=10,bytes=100=;byteHardLimit=5")
	case 2:
		b.Path, b.Data = QuotaPath+"/"+target+"/"+statsName, []byte("count=0,bytes=0")
	default:
		b.Path = QuotaPath + "/" + target + "/" + segments[d.pick(3)]
	}
}

func (d *driver) next() txn.Txn {
	if d.again > 0 {
		tx := d.log[len(d.log)-d.again]
		d.again--
		return tx
	}
	tx := txn.Txn{Header: txn.Header{ClientID: d.session(), Zxid: d.m.zxid + 1, Time: 1_700_000_000_000 + int64(d.pick(1000))}}
	switch d.pick(30) {
	case 0:
		tx.Header.Type = proto.OpCloseSession
		if tx.HasPaths = d.pick(2) == 0; tx.HasPaths {
			for _, p := range d.m.owned[tx.ClientID] {
				if d.pick(5) > 0 {
					tx.Paths = append(tx.Paths, p)
				}
			}
		}
	case 1, 2:
		tx.Header.Type = proto.OpMulti
		for range d.pick(5) {
			tx.Subs = append(tx.Subs, d.body())
		}
		if d.pick(4) == 0 {
			tx.Subs = append(tx.Subs, txn.Body{Type: proto.OpError, Err: proto.BadVersion}, d.body())
		}
	case 3:
		tx.Header.Type, tx.Err = proto.OpError, proto.NoNode
	case 4:
		tx.Header.Type = proto.OpCreateSession
	case 5:
		tx.Time = int64(d.pick(5)) - 1<<50 + int64(d.pick(3))<<50 // times that do not fit 48 bits
		fallthrough
	default:
		tx.Body = d.body()
		tx.Header.Type = tx.Body.Type
	}
	tx.Body.Type = tx.Header.Type
	d.log = append(d.log, tx)
	return tx
}

// step applies one transaction, as decoded from its encoding.
func (d *driver) step() {
	tx := d.next()
	entry := tx.Append(nil)
	var decoded txn.Txn
	must(d.tb, txn.Decode(entry, &decoded))
	want := d.m.apply(&tx)
	decoded.HasDigest, decoded.DigestVersion, decoded.TreeDigest = true, txn.DigestVersion, d.m.digest()
	d.t.Lock()
	d.t.Apply(&decoded, &d.r)
	d.compare(&tx, want)
	clear(entry) // nothing of it may be left in the tree
	if d.pick(40) == 0 && len(d.views) < 4 {
		d.views = append(d.views, frozen{d.t.Freeze(), d.m.clone()})
	}
	d.t.Unlock()
	if len(d.views) > 0 && d.pick(60) == 0 {
		d.closeView(d.pick(len(d.views)))
	}
	if d.pick(200) == 0 {
		d.again = min(len(d.log), d.pick(20))
	}
}

func (d *driver) compare(tx *txn.Txn, want done) {
	d.tb.Helper()
	if d.r.Mismatch {
		d.tb.Fatalf("zxid %d of type %v: digest %#x, want %#x", tx.Zxid, tx.Header.Type, d.r.Digest, d.r.Want)
	}
	d.compareOutcome(tx, &d.r.Outcome, want)
	if len(d.r.Multi) != len(want.multi) {
		d.tb.Fatalf("zxid %d: %d results of a multi, want %d", tx.Zxid, len(d.r.Multi), len(want.multi))
	}
	for i := range want.multi {
		d.compareOutcome(tx, &d.r.Multi[i], want.multi[i])
	}
	if len(d.r.Changes) != len(want.changes) {
		d.tb.Fatalf("zxid %d of type %v: changes %v, want %v", tx.Zxid, tx.Header.Type, d.r.Changes, want.changes)
	}
	for i, c := range d.r.Changes {
		w := want.changes[i]
		acl := string(proto.AppendACLs(nil, d.t.ACLByID(c.ACLID)))
		if c.Type != w.typ || c.Path != w.path || acl != w.acl {
			d.tb.Fatalf("zxid %d: change %v %q acl %q, want %v", tx.Zxid, c.Type, c.Path, acl, w)
		}
	}
}

func (d *driver) compareOutcome(tx *txn.Txn, got *Outcome, want done) {
	d.tb.Helper()
	if got.Code != want.code {
		d.tb.Fatalf("zxid %d of type %v %q: %v, want %v", tx.Zxid, got.Type, got.Path, got.Code, want.code)
	}
	if got.HasStat != (want.stat != nil) || got.HasStat && got.Stat != *want.stat {
		d.tb.Fatalf("zxid %d of type %v %q: stat %+v, want %+v", tx.Zxid, got.Type, got.Path, got.Stat, want.stat)
	}
}

// checkAll compares every znode, and checks the tree.
func (d *driver) checkAll() {
	d.tb.Helper()
	t := d.t
	t.RLock(1)
	defer t.RUnlock(1)
	must(d.tb, t.Check())
	size := int64(1 + len(d.m.nodes[""].data))
	for _, p := range d.m.existing() {
		size += int64(len([]rune(p)) + len(d.m.nodes[p].data))
		d.checkNode(p)
	}
	if t.Digest() != d.m.digest() || t.Zxid() != d.m.zxid || t.NodeCount() != len(d.m.nodes)+1 || t.ApproximateDataSize() != size {
		d.tb.Fatalf("digest %#x zxid %d count %d size %d, want %#x %d %d %d", t.Digest(), t.Zxid(), t.NodeCount(),
			t.ApproximateDataSize(), d.m.digest(), d.m.zxid, len(d.m.nodes)+1, size)
	}
	d.checkNear()
	d.checkOwners()
	for q := range d.m.quotas {
		want := d.m.quotaOf(q+"/x") != "" && d.m.nodes[QuotaPath+q+"/"+statsName] != nil
		if path, _, _, ok := t.QuotaFor(q + "/x"); ok != want || ok && path != q {
			d.tb.Fatalf("quota for %q: %q, %v", q+"/x", path, ok)
		}
	}
	if t.HasQuotas() != (len(d.m.quotas) > 0) {
		d.tb.Fatal("quotas differ")
	}
}

// checkNear looks for paths of every kind: Near must not read what is not there.
func (d *driver) checkNear() {
	d.tb.Helper()
	paths := []string{"/", "", "x", "/nowhere", "/a/nowhere", "\x00\xff"}
	for _, p := range d.m.existing() {
		paths = append(paths, p, p+"x")
	}
	for at := 0; at < len(paths); at += nearBatch {
		d.t.near(paths[at:min(at+nearBatch, len(paths))])
	}
}

func (d *driver) checkNode(p string) {
	d.tb.Helper()
	t, want := d.t, d.m.nodes[p]
	n := t.Find(rootName(p))
	if n == 0 {
		d.tb.Fatalf("%q is missing", p)
	}
	if got := t.Stat(n); got != d.m.stat(p) {
		d.tb.Fatalf("%q: stat %+v, want %+v", p, got, d.m.stat(p))
	}
	st := t.Stat(n)
	if got := t.AppendStat([]byte{1}, n); !bytes.Equal(got[1:], st.Append(nil)) {
		d.tb.Fatalf("%q: stat % x, want % x", p, got[1:], st.Append(nil))
	}
	if m := t.Meta(n); m.StatPersisted != want.st || m.NumChildren != st.NumChildren || m.DataLength != st.DataLength {
		d.tb.Fatalf("%q: meta %+v, want %+v", p, m, want.st)
	}
	if got := t.Data(n); !bytes.Equal(got, want.data) || (got == nil) != (want.data == nil) {
		d.tb.Fatalf("%q: %d bytes of data, want %d", p, len(got), len(want.data))
	}
	if got := string(proto.AppendACLs(nil, t.ACLByID(t.ACLID(n)))); got != want.acl {
		d.tb.Fatalf("%q: acl %q, want %q", p, got, want.acl)
	}
	if got := string(t.Path(nil, n)); got != rootName(p) {
		d.tb.Fatalf("path %q, want %q", got, p)
	}
	if got, want := t.AppendChildren(nil, n), jute.AppendStrings(nil, d.m.order[p]); !bytes.Equal(got, want) || len(got) != t.ChildrenLen(n) {
		d.tb.Fatalf("%q: children % x, want % x", p, got, want)
	}
	if got, want := t.AllChildren(n), len(d.m.walk(p))-1; got != want {
		d.tb.Fatalf("%q: %d descendants, want %d", p, got, want)
	}
}

func (d *driver) checkOwners() {
	d.tb.Helper()
	sessions, ephemerals := 0, 0
	for owner, want := range d.m.owned {
		if d.m.opt.kindOf(owner) != kindSession {
			continue
		}
		sessions++
		ephemerals += len(want)
		var got []string
		for n := range d.t.Ephemerals(owner) {
			got = append(got, string(d.t.Path(nil, n)))
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			d.tb.Fatalf("ephemerals of %#x: %q, want %q", owner, got, want)
		}
	}
	for range d.t.EphemeralOwners {
		sessions--
	}
	candidates := 0
	for c := range d.t.ContainerCandidates {
		m := d.t.Meta(c.Node)
		owner := m.EphemeralOwner
		if c.Container != (owner == proto.ContainerOwner) || !c.Container && proto.TTLOwner(c.TTL) != owner ||
			c.Cversion != m.Cversion || c.NumChildren != m.NumChildren || c.Mtime != m.Mtime || c.Czxid != m.Czxid {
			d.tb.Fatalf("candidate %+v of owner %#x", c, owner)
		}
		candidates++
	}
	if sessions != 0 || ephemerals != d.t.EphemeralCount() || candidates != d.t.ContainerCount()+d.t.TTLCount() {
		d.tb.Fatalf("%d sessions too many, %d ephemerals, want %d; %d candidates", sessions, d.t.EphemeralCount(), ephemerals, candidates)
	}
}

func (d *driver) closeView(i int) {
	d.tb.Helper()
	f := d.views[i]
	d.views = append(d.views[:i], d.views[i+1:]...)
	compareView(d.tb, f.v, f.m)
	f.v.Close()
	f.v.Close()
	must(d.tb, d.t.Check())
}

func compareView(tb testing.TB, v *View, m *model) {
	tb.Helper()
	want := m.walk("")
	lists := map[int64]string{OpenACLID: string(openText)}
	for id, acl := range v.ACLs {
		lists[id] = string(proto.AppendACLs(nil, acl))
	}
	if len(lists)-1 != v.ACLCount() || v.NodeCount() != len(want) || v.Zxid() != m.zxid || v.Digest() != m.digest() {
		tb.Fatalf("view: %d lists, %d znodes, zxid %d, digest %#x; want %d, %d, %d, %#x", v.ACLCount(), v.NodeCount(), v.Zxid(),
			v.Digest(), len(lists)-1, len(want), m.zxid, m.digest())
	}
	i := 0
	err := v.Walk(func(path string, data []byte, acl int64, st *proto.StatPersisted) error {
		if i == len(want) || path != want[i] {
			tb.Fatalf("view shows %q as number %d of %q", path, i, want)
		}
		w := m.nodes[path]
		if *st != w.st || !bytes.Equal(data, w.data) || (data == nil) != (w.data == nil) || lists[acl] != w.acl {
			tb.Fatalf("view shows %q as %+v acl %q, want %+v acl %q", path, st, lists[acl], w.st, w.acl)
		}
		i++
		return nil
	})
	if err != nil || i != len(want) {
		tb.Fatalf("walk ended after %d of %d: %v", i, len(want), err)
	}
	stop := errors.New("stop")
	if err := v.Walk(func(string, []byte, int64, *proto.StatPersisted) error { return stop }); !errors.Is(err, stop) {
		tb.Fatalf("walk: %v", err)
	}
}

func TestRandom(t *testing.T) {
	for i, opt := range []Options{{}, {ExtendedTypes: true}, {ExtendedTypes: true, Emulate353TTL: true}} {
		t.Run(fmt.Sprintf("%+v", opt), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(uint64(i), 7))
			d := newDriver(t, opt, rnd.IntN)
			for s := range *steps {
				d.step()
				if s%97 == 0 {
					d.checkAll()
				}
				if s%997 == 996 {
					reload(t, d.t, d.m)
				}
			}
			d.close()
		})
	}
}

// reload writes a tree out and loads it.
func reload(tb testing.TB, t *Tree, m *model) {
	tb.Helper()
	t.Lock()
	v := t.Freeze()
	t.Unlock()
	defer v.Close()
	l := NewLoader(t.opt)
	if v.Zxid()%2 == 0 {
		l.Parallel()
	}
	for id, acl := range v.ACLs {
		must(tb, l.AddACL(id, acl))
	}
	l.SetDigest(v.Zxid(), txn.DigestVersion, v.Digest())
	must(tb, v.Walk(l.AddNode))
	loaded, mismatch, err := l.Finish(v.Zxid())
	must(tb, err)
	if mismatch || l.MissingACLs() != 0 {
		tb.Fatalf("mismatch %v, %d lists missing", mismatch, l.MissingACLs())
	}
	m = m.clone()
	for q := range m.quotas { // loading counts anew, and knows only limits without children
		if len(m.order[QuotaPath+q+"/"+limitsName]) > 0 {
			delete(m.quotas, q)
		} else if m.nodes[QuotaPath+q+"/"+statsName] != nil {
			m.recount(q)
		}
	}
	m.owned = map[int64][]string{} // loading knows no age
	for _, p := range m.walk("") {
		if owner := m.nodes[p].st.EphemeralOwner; owner != 0 {
			m.owned[owner] = append(m.owned[owner], p)
		}
	}
	d := newDriver(tb, t.opt, func(int) int { return 0 })
	d.t.Close()
	d.t, d.m = loaded, m
	d.close()
}

// FuzzApply takes its decisions from the input.
func FuzzApply(f *testing.F) {
	f.Add([]byte("\x00\x01\x02create"), uint8(0))
	f.Add(bytes.Repeat([]byte{3, 1, 4, 1, 5, 9, 2, 6}, 200), uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, option uint8) {
		if len(in) > 4000 {
			in = in[:4000]
		}
		at := 0
		pick := func(n int) int {
			if at >= len(in) {
				return n - 1
			}
			v := 0
			for m := 1; m < n && at < len(in); m *= 256 {
				v = v<<8 | int(in[at])
				at++
			}
			return v % n
		}
		d := newDriver(t, Options{ExtendedTypes: option&1 != 0, Emulate353TTL: option&2 != 0}, pick)
		for at < len(in) {
			d.step()
		}
		d.close()
	})
}

func decodeACL(tb testing.TB, text []byte) []proto.ACL {
	tb.Helper()
	d := jute.NewDecoder(text)
	acl := proto.DecodeACLs(&d)
	must(tb, d.Err())
	return acl
}
