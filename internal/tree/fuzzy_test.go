package tree

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
)

// history makes transactions that are valid where they are applied, as a leader
// makes them.
type history struct {
	m      *model
	rnd    *rand.Rand
	log    []txn.Txn
	quotas bool // sets up quotas, too
}

func (h *history) path() string {
	all := h.m.existing()
	return all[h.rnd.IntN(len(all))]
}

func (h *history) acl() []byte {
	if h.rnd.IntN(2) == 0 {
		return openText
	}
	return proto.AppendACLs(nil, []proto.ACL{{Perms: 1, Scheme: "ip", ID: fmt.Sprint(h.rnd.IntN(6))}})
}

// valid makes one change, false if what it chose cannot be done.
func (h *history) valid() (b txn.Body, ok bool) {
	p := h.path()
	b = txn.Body{Path: p, ACL: h.acl(), Data: []byte(fmt.Sprint("data", h.rnd.IntN(1000)))}
	if h.quotas && h.rnd.IntN(10) == 0 {
		return h.quota()
	}
	n := h.m.nodes[p]
	switch h.rnd.IntN(6) {
	case 0, 1, 2:
		b.Type = []proto.Op{proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL}[h.rnd.IntN(4)]
		b.TTL, b.Ephemeral = 5, h.rnd.IntN(3) == 0
		b.Path = p + "/" + segments[h.rnd.IntN(4)]
		b.ParentCversion = n.st.Cversion + 1
		return b, h.m.nodes[b.Path] == nil && (n.st.EphemeralOwner == 0 || n.st.EphemeralOwner == proto.ContainerOwner)
	case 3:
		b.Type = proto.OpDelete
		return b, len(p) > 2 && len(h.m.order[p]) == 0 && p != QuotaPath && p != ConfigPath
	case 4:
		b.Type, b.Version = proto.OpSetData, n.st.Version+1
	default:
		b.Type, b.Version = proto.OpSetACL, n.st.Aversion+1
	}
	b.Path = rootName(p)
	return b, !strings.HasSuffix(p, statsName) || b.Type == proto.OpSetACL // stats must stay what they are
}

// quota makes or deletes one of the znodes that make a quota.
func (h *history) quota() (b txn.Body, ok bool) {
	target := QuotaPath + "/" + segments[h.rnd.IntN(3)]
	b = txn.Body{Type: proto.OpCreate, ACL: openText}
	switch h.rnd.IntN(4) {
	case 0:
		b.Path = target
	case 1:
		b.Path, b.Data = target+"/"+limitsName, []byte("count=3,bytes=20=;byteHardLimit=5")
	case 2:
		b.Path, b.Data = target+"/"+statsName, []byte("count=0,bytes=0")
	default:
		b.Type, b.Path = proto.OpDelete, target+"/"+[]string{limitsName, statsName}[h.rnd.IntN(2)]
		return b, h.m.nodes[b.Path] != nil && len(h.m.order[b.Path]) == 0
	}
	parent, _ := splitPath(b.Path)
	n := h.m.nodes[parent]
	if n == nil || h.m.nodes[b.Path] != nil || n.st.EphemeralOwner != 0 {
		return b, false
	}
	b.ParentCversion = n.st.Cversion + 1
	return b, true
}

func (h *history) step() {
	tx := txn.Txn{Header: txn.Header{ClientID: int64(1 + h.rnd.IntN(3)), Zxid: h.m.zxid + 1, Time: int64(h.rnd.IntN(1000))}}
	switch h.rnd.IntN(25) {
	case 0:
		// Without the paths it cannot converge: that is why they were added
		// (ZOOKEEPER-3145).
		tx.Header.Type, tx.HasPaths = proto.OpCloseSession, true
		tx.Paths = append(tx.Paths, h.m.owned[tx.ClientID]...)
	case 1:
		tx.Header.Type = proto.OpMulti
		trial := h.m.clone()
		was := h.m
		h.m = trial
		for range 3 {
			if b, ok := h.valid(); ok && b.Type != proto.OpSetACL { // no multi sets an ACL
				tx.Subs = append(tx.Subs, b)
				trial.one(&tx, &b)
			}
		}
		h.m = was
	default:
		b, ok := h.valid()
		if !ok {
			tx.Header.Type, tx.Err = proto.OpError, proto.NoNode
			break
		}
		tx.Body, tx.Header.Type = b, b.Type
	}
	tx.Body.Type = tx.Header.Type
	h.m.apply(&tx)
	tx.HasDigest, tx.TreeDigest, tx.DigestVersion = true, h.m.digest(), txn.DigestVersion
	h.log = append(h.log, tx)
}

// snapshotNode writes a znode and what is below it as Apache's servers do, with
// transactions going on between any two znodes.
func (h *history) snapshotNode(tb testing.TB, path string, ids map[string]int64, l *Loader) {
	n := h.m.nodes[path]
	if n == nil {
		return
	}
	kids := append([]string(nil), h.m.order[path]...)
	h.rnd.Shuffle(len(kids), func(i, j int) { kids[i], kids[j] = kids[j], kids[i] })
	if ids[n.acl] == 0 {
		ids[n.acl] = int64(len(ids) + 1) // the snapshot's lists do not have it
	}
	must(tb, l.AddNode(path, n.data, ids[n.acl], &n.st))
	for range h.rnd.IntN(4) {
		h.step()
	}
	for _, kid := range kids {
		h.snapshotNode(tb, path+"/"+kid, ids, l)
	}
}

// A snapshot written while transactions were applied, and these transactions
// again, give the tree that the writer had.
func TestFuzzySnapshotConverges(t *testing.T) {
	for seed := range uint64(300) {
		h := &history{m: newModel(Options{}), rnd: rand.New(rand.NewPCG(seed, 5))}
		for range 60 {
			h.step()
		}
		start := len(h.log)
		zxid := h.m.zxid
		l := NewLoader(Options{poison: true})
		ids := map[string]int64{string(openText): OpenACLID}
		for _, p := range h.m.existing() {
			if text := h.m.nodes[p].acl; ids[text] == 0 {
				ids[text] = int64(len(ids))
				must(t, l.AddACL(ids[text], decodeACL(t, []byte(text))))
			}
		}
		h.snapshotNode(t, "", ids, l)
		l.SetDigest(h.m.zxid, txn.DigestVersion, h.m.digest())
		end := len(h.log)
		for range 20 {
			h.step()
		}
		tree, mismatch, err := l.Finish(zxid)
		must(t, err)
		if mismatch {
			t.Fatal("the digest was compared before it is due")
		}
		var r Result
		for i := range h.log[start:] {
			tx := &h.log[start+i]
			tree.Apply(tx, &r)
			if r.Mismatch {
				t.Fatalf("seed %d: zxid %d of %d..%d: digest %#x, want %#x", seed, tx.Zxid, start, end, r.Digest, r.Want)
			}
		}
		for _, p := range h.m.existing() {
			n := tree.Find(rootName(p))
			if n == 0 || tree.Meta(n).StatPersisted != h.m.nodes[p].st || string(tree.Data(n)) != string(h.m.nodes[p].data) ||
				string(proto.AppendACLs(nil, tree.ACLByID(tree.ACLID(n)))) != h.m.nodes[p].acl {
				t.Fatalf("seed %d: %q differs", seed, p)
			}
		}
		must(t, tree.Check())
		tree.Close()
	}
}
