package ensemble

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

// TestOneProcess runs three members in one process, as "quoll server --ensemble 3" does.
func TestOneProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	binary, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var cmd *exec.Cmd
	var addresses string
	for range 20 { // the ports may be somebody else's
		if cmd, addresses = oneProcess(ctx, t, binary); addresses != "" {
			break
		}
	}
	if addresses == "" {
		t.Fatal("never came up")
	}
	var clients []*client.Client
	for address := range strings.SplitSeq(addresses, ",") {
		c, err := client.Dial(ctx, address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		clients = append(clients, c)
	}
	if len(clients) != 3 {
		t.Fatalf("clients are to come in at %s", addresses)
	}
	if _, err := clients[0].Create(ctx, "/a", []byte("b")); err != nil {
		t.Fatal(err)
	}
	if err := clients[2].Sync(ctx, "/a"); err != nil {
		t.Fatal(err)
	}
	if data, _, err := clients[2].Get(ctx, "/a"); err != nil || string(data) != "b" {
		t.Errorf("the third member has %q, error %v", data, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("at the end: %v", err)
	}
}

// oneProcess starts the process and returns where its clients come in; nowhere if its ports are taken.
func oneProcess(ctx context.Context, t *testing.T, binary string) (*exec.Cmd, string) {
	t.Helper()
	port := 10000 + rand.IntN(15000)
	cmd := exec.CommandContext(ctx, binary, "server", "--ensemble", "3", "--data-dir", t.TempDir(),
		"--client-port", fmt.Sprint(port), "--set", "admin.enableServer=false")
	cmd.Env = append(cmd.Environ(), harness.RaceOptions)
	var log strings.Builder
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		_, addresses, _ := strings.Cut(strings.TrimSpace(line), "clients: ")
		return cmd, addresses
	}
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait()
	if !strings.Contains(log.String(), "address already in use") {
		t.Fatalf("it ended:\n%s", log.String())
	}
	return nil, ""
}
