package storage

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
)

// TestSetAside keeps the youngest states, which no start takes for its own.
func TestSetAside(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dirs: Dirs{Data: dir}, Preallocate: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for zxid := int64(1); zxid <= 4; zxid++ {
		info, err := s.SetAside(t.Context(), emptySource(zxid))
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := LooksValid(OS(), info.Path); !ok || err != nil {
			t.Errorf("%s is no snapshot: %v", info.Path, err)
		}
	}
	kept, err := filepath.Glob(filepath.Join(dir, AsideDir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(dir, AsideDir, "snapshot.3"), filepath.Join(dir, AsideDir, "snapshot.4")}
	if slices.Sort(kept); !slices.Equal(kept, want) {
		t.Errorf("kept %v", kept)
	}
}

// emptySource is a state with nothing but a root.
type emptySource int64

func (s emptySource) Zxid() int64                    { return int64(s) }
func (s emptySource) Digest() (SnapshotDigest, bool) { return SnapshotDigest{}, false }
func (s emptySource) Sessions() []Session            { return nil }
func (s emptySource) ACLs() []SnapshotACL            { return nil }

func (s emptySource) Walk(yield func(string, []byte, int64, *proto.StatPersisted) error) error {
	return yield("", nil, OpenACLID, &proto.StatPersisted{})
}
