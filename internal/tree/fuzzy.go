package tree

import "github.com/quollhq/quoll/internal/txn"

// fuzzy tells up to which transaction the tree is a mix of states. Apache's
// servers write snapshots while they apply transactions; such a snapshot names
// the zxid after whose replay the tree is whole again, and its digest then.
type fuzzy struct {
	until   int64 // 0: the tree is whole
	digest  uint64
	unknown bool // the digest is of a version that is not computed here
}

// compareDigest compares the tree with what the transaction's maker saw.
func (t *Tree) compareDigest(tx *txn.Txn, r *Result) {
	if t.opt.NoDigest {
		return
	}
	if t.fuzzy.until != 0 {
		t.compareFuzzy(tx.Zxid, r)
		return
	}
	if tx.HasDigest && tx.DigestVersion == txn.DigestVersion && tx.TreeDigest != t.digest {
		r.Mismatch, r.Want = true, tx.TreeDigest
	}
}

func (t *Tree) compareFuzzy(zxid int64, r *Result) {
	if zxid < t.fuzzy.until {
		return
	}
	if zxid == t.fuzzy.until && !t.fuzzy.unknown && t.fuzzy.digest != t.digest {
		r.Mismatch, r.Want = true, t.fuzzy.digest
	}
	t.fuzzy = fuzzy{}
}
