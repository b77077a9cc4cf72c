package tree

import (
	"testing"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
)

// The first snapshot that Apache's server writes, of a tree without any
// transaction, holds zxid 0 and digest 0: that is no digest.
func TestFirstSnapshotHasNoDigest(t *testing.T) {
	l := NewLoader()
	for _, path := range []string{"", ProcPath, QuotaPath, ConfigPath} {
		if err := l.AddNode(path, nil, OpenACLID, &proto.StatPersisted{}); err != nil {
			t.Fatal(err)
		}
	}
	l.SetDigest(0, txn.DigestVersion, 0)
	tr, mismatch, err := l.Finish(0)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if mismatch {
		t.Error("a snapshot without a digest is said to have a wrong one")
	}
}
