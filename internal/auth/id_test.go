package auth

import (
	"slices"
	"testing"
)

func TestAddLeavesTheOldListAlone(t *testing.T) {
	ids := InitialIDs(Peer{Host: "127.0.0.1"})
	for i := range 40 {
		before := slices.Clone(ids)
		next := Add(ids, ID{"digest", string(rune('a' + i))}, ID{"digest", "a"})
		if !slices.Equal(ids, before) {
			t.Fatalf("the list %v became %v", before, ids)
		}
		if len(next) != i+2 {
			t.Fatalf("%d identities after %d were added: %v", len(next), i+1, next)
		}
		ids = next
	}
}
