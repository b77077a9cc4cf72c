package storage_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/quollhq/quoll/internal/storage"
)

// What was written is read by a start at the earliest: it must not fill the
// system's memory, which the next write would then take from elsewhere.
func TestWhatIsWrittenDoesNotStayInMemory(t *testing.T) {
	dir := t.TempDir()
	var at unix.Statfs_t
	if err := unix.Statfs(dir, &at); err != nil {
		t.Fatal(err)
	}
	if at.Type == unix.TMPFS_MAGIC || at.Type == unix.RAMFS_MAGIC {
		t.Skip("this directory for tests lives in memory; set TMPDIR to one on a disk")
	}
	s, _, _ := openLoaded(t, storage.Options{Dirs: storage.Dirs{Data: dir}, Preallocate: 64 << 20})
	const batch, batches = 512 << 10, 64
	for zxid := range int64(batches) {
		appendBatch(t, s.Log(), zxid+1, batch)
		if err := s.Log().Sync(); err != nil {
			t.Fatal(err)
		}
	}
	m := newModel(batches, 0)
	for i := range 100 {
		m.nodes = append(m.nodes, modelNode{path: fmt.Sprintf("/node-%d", i), data: make([]byte, 256<<10), acl: -1})
	}
	info, err := s.WriteSnapshot(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "version-2", storage.LogName(1))
	if held := resident(t, log); held > batch*batches/2 {
		t.Errorf("%d of at least %d bytes of the log that is being written are in memory", held, batch*batches)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{log, info.Path} {
		stat, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if held := resident(t, path); held > stat.Size()/8 {
			t.Errorf("%d of %d bytes of %s are in memory", held, stat.Size(), filepath.Base(path))
		}
	}
}

// resident is how many bytes of a file the system has in memory.
func resident(t *testing.T, path string) int64 {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, int(stat.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Munmap(mem); err != nil {
			t.Error(err)
		}
	}()
	page := os.Getpagesize()
	pages := make([]byte, (len(mem)+page-1)/page)
	if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&mem[0])), uintptr(len(mem)), uintptr(unsafe.Pointer(&pages[0]))); errno != 0 {
		t.Fatal(errno)
	}
	var held int64
	for _, p := range pages {
		held += int64(p&1) * int64(page)
	}
	return held
}
