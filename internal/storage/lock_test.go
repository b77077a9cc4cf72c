package storage_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/storage"
)

// Two servers on one directory would write two histories.
func TestTwoServersOnOneDirectory(t *testing.T) {
	if _, ok := storage.OS().(storage.Locker); !ok {
		t.Skip("no locks on this system")
	}
	data, logs := t.TempDir(), t.TempDir()
	opts := storage.Options{Dirs: storage.Dirs{Data: data, Log: logs}, Preallocate: -1}
	first, _, _ := openLoaded(t, opts)
	unfinished := filepath.Join(data, "version-2", storage.TmpPrefix+"snapshot.1")
	if err := os.WriteFile(unfinished, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for what, dirs := range map[string]storage.Dirs{"both": opts.Dirs, "data": {Data: data, Log: t.TempDir()}, "logs": {Data: t.TempDir(), Log: logs}} {
		_, err := storage.Open(storage.Options{Dirs: dirs})
		if !errors.Is(err, storage.ErrInUse) || !strings.Contains(err.Error(), "stop that one") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := os.Stat(unfinished); err != nil {
		t.Errorf("a server that must not start has removed the work of another one: %v", err)
	}
	reader := opts
	reader.ReadOnly = true
	s, err := storage.Open(reader)
	if err != nil {
		t.Errorf("a tool that only reads: %v", err)
	} else if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, _, _ := openLoaded(t, opts)
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}
