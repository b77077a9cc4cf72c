package crash

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

// TestFailedSync has the kernel refuse a sync of the log while workers write,
// and then everything be lost that was not synced before: the server says so
// and ends, and what it acknowledged is there.
func TestFailedSync(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers; not with -short")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	dataDir := t.TempDir()
	disk := &syncedLog{pattern: filepath.Join(dataDir, "version-2", "log.*")}
	addr, exited, output := runQuoll(ctx, t, dataDir, "preAllocSize=64\n", func(cmd *exec.Cmd) { superviseSyncs(t, cmd, disk.sync) })
	connect := func() *client.Client {
		c, err := client.Dial(ctx, addr, client.WithFailFast(), client.WithSessionTimeout(30*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	acks := newCounter()
	reached := acks.reach(500)
	var all []*worker
	var wg sync.WaitGroup
	failed := make(chan error, workers)
	for i := range workers {
		w, c := newWorker(i, *seed, acks.add), connect()
		if err := w.setup(ctx, c); err != nil {
			t.Fatal(err)
		}
		all = append(all, w)
		wg.Go(func() {
			defer c.Detach() // there will be nobody to say goodbye to
			if err := w.run(ctx, c); err != nil {
				failed <- err
			}
		})
	}
	select {
	case <-reached:
		disk.fail()
	case err := <-failed:
		t.Fatal(err)
	case <-ctx.Done():
		t.Fatalf("%d requests of 500 were acknowledged", acks.value())
	}
	select {
	case err := <-exited:
		var code *exec.ExitError
		if !errors.As(err, &code) || code.ExitCode() <= 0 {
			t.Errorf("the server ended with %v", err)
		}
	case <-ctx.Done():
		t.Fatal("the server goes on after a sync has failed")
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	for _, want := range []string{"the transaction log cannot be written", "fdatasync", "input/output error", "check the disk and the kernel's log"} {
		if !strings.Contains(output.String(), want) {
			t.Errorf("the server's log lacks %q:\n%s", want, output.String())
		}
	}
	disk.lose(t)
	verify(t, dataDir)
	server := harness.Start(t, harness.Quoll, harness.Config{DataDir: dataDir})
	c := dial(ctx, t, server)
	for _, w := range all {
		if err := w.check(ctx, c); err != nil {
			t.Error(err)
		}
	}
	hangUp(t, c)
	t.Logf("%d requests were acknowledged", acks.value())
}

// syncedLog is a log on a disk that keeps what was synced, and nothing else.
type syncedLog struct {
	pattern string // matches the log, which is one file

	mu      sync.Mutex
	synced  []byte
	err     error // of reading the log
	failing bool
}

// sync is what happens to a sync of the server's.
func (l *syncedLog) sync() syscall.Errno {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failing {
		return syscall.EIO
	}
	name, err := l.name()
	if err == nil && name != "" {
		l.synced, err = os.ReadFile(name)
	}
	if l.err == nil {
		l.err = err
	}
	return 0
}

// name is "" before there is a log.
func (l *syncedLog) name() (string, error) {
	names, err := filepath.Glob(l.pattern)
	if err != nil || len(names) == 0 {
		return "", err
	}
	if len(names) > 1 {
		return "", errors.New("there is more than one log")
	}
	return names[0], nil
}

// fail makes every sync fail from now on.
func (l *syncedLog) fail() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failing = true
}

// lose takes the log back to what was synced, when nobody writes any more.
func (l *syncedLog) lose(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	name, err := l.name()
	if err := errors.Join(err, l.err); err != nil || name == "" {
		t.Fatalf("no log: %v", err)
	}
	if err := os.WriteFile(name, l.synced, 0o644); err != nil {
		t.Fatal(err)
	}
}
