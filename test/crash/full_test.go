package crash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

// TestFullDisk fills the file system that the data lies on. The server says so
// and ends; after room was made everything acknowledged is there.
func TestFullDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers; not with -short")
	}
	dir := smallDisk(t, 24<<20)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	dataDir := filepath.Join(dir, "data")
	addr, exited, output := runQuoll(ctx, t, dataDir, "", nil)
	c, err := client.Dial(ctx, addr, client.WithFailFast())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Detach() // there will be nobody to say goodbye to
	if _, err := c.Create(ctx, "/full", nil); err != nil {
		t.Fatal(err)
	}
	acked := 0
	for ; ; acked++ {
		if _, err := c.Create(ctx, name(acked), make([]byte, 100<<10)); err != nil {
			break
		}
	}
	select {
	case err := <-exited:
		var code *exec.ExitError
		if !errors.As(err, &code) || code.ExitCode() <= 0 {
			t.Errorf("the server ended with %v", err)
		}
	case <-ctx.Done():
		t.Fatal("the server goes on with a full disk")
	}
	if !strings.Contains(output.String(), "the disk is full: free space on it") {
		t.Errorf("the server does not say why it ended:\n%s", output.String())
	}
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT, "size=256m"); err != nil {
		t.Fatal(err)
	}
	verify(t, dataDir)
	server := harness.Start(t, harness.Quoll, harness.Config{DataDir: dataDir})
	again := dial(ctx, t, server)
	for i := range acked {
		if _, ok, err := again.Exists(ctx, name(i)); err != nil || !ok {
			t.Fatalf("%s of %d acknowledged: %v, %v", name(i), acked, ok, err)
		}
	}
	if _, ok, err := again.Exists(ctx, name(acked+1)); err != nil || ok {
		t.Errorf("a node is there that was never asked for: %v", err)
	}
	hangUp(t, again)
	t.Logf("%d creates were acknowledged", acked)
}

// TestReadOnlyDisk starts a server whose disk cannot be written, as one is that
// the system has remounted after an error. It says so and ends, rather than
// serve until the first write.
func TestReadOnlyDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers; not with -short")
	}
	dir := smallDisk(t, 24<<20)
	harness.Start(t, harness.Quoll, harness.Config{DataDir: dir}).Stop()
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	cfg := filepath.Join(t.TempDir(), "zoo.cfg")
	text := fmt.Sprintf("dataDir=%s\nclientPort=%d\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n", dir, harness.FreePort(t))
	if err := os.WriteFile(cfg, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd, err := harness.Quoll.Command(ctx, cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.CombinedOutput()
	var code *exec.ExitError
	if !errors.As(err, &code) || code.ExitCode() != 1 {
		t.Errorf("the server ended with %v", err)
	}
	if want := filepath.Join(dir, "version-2") + " cannot be written: read-only file system"; !strings.Contains(string(output), want) {
		t.Errorf("the server does not say %q:\n%s", want, output)
	}
}

// runQuoll runs quoll's server for a test that lets it end by itself, with more
// lines for zoo.cfg, and the command changed if change is not nil. exited
// yields how it ended; output may be read after that.
func runQuoll(ctx context.Context, t *testing.T, dataDir, more string, change func(*exec.Cmd)) (addr string, exited <-chan error, output *bytes.Buffer) {
	t.Helper()
	port := harness.FreePort(t)
	addr = fmt.Sprintf("127.0.0.1:%d", port)
	cfg := filepath.Join(t.TempDir(), "zoo.cfg")
	text := fmt.Sprintf("dataDir=%s\nclientPort=%d\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n4lw.commands.whitelist=*\n%s", dataDir, port, more)
	if err := os.WriteFile(cfg, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd, err := harness.Quoll.Command(ctx, cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(cmd)
	}
	output = new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for harness.Serves(ctx, addr) != nil {
		select {
		case err := <-ended:
			t.Fatalf("ended before it served: %v\n%s", err, output.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return addr, ended, output
}

func name(i int) string { return fmt.Sprintf("/full/n%06d", i) }

// smallDisk mounts a file system of that many bytes until the end of the test.
func smallDisk(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes))
	if errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.ENOSYS) {
		t.Skipf("a small file system cannot be mounted: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}
