package auth

import (
	"fmt"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
)

// A list of many "auth" entries of a client with many identities would take
// memory by the product of the two.
func TestExpandedListsAreBounded(t *testing.T) {
	r, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	var ids []ID
	for i := range 100 {
		ids = append(ids, ID{Scheme: "digest", ID: fmt.Sprintf("user%d:hash", i)})
	}
	var acl []proto.ACL
	for i := range 60_000 {
		acl = append(acl, proto.ACL{Perms: int32(i), Scheme: "auth"})
	}
	if got, err := r.FixupACL(acl, ids); err != proto.InvalidACL {
		t.Errorf("a list of %d entries, error %v", len(got), err)
	}
	if got, err := r.FixupACL(acl[:10], ids); err != nil || len(got) != 1000 {
		t.Errorf("a list of %d entries, error %v", len(got), err)
	}
}
