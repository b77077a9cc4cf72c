// Package recipes runs the coordination functions' own tests, which have a quoll server in their process, against
// Apache's.
package recipes_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/quollhq/quoll/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

func TestAgainstApache(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server; not with -short")
	}
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	server := harness.Start(t, harness.Apache, harness.Config{Properties: map[string]string{"zookeeper.extendedTypesEnabled": "true", "zookeeper.forceSync": "no"}})
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count", "1", "-p", "2", "./recipe/...", "./internal/functions")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "QUOLL_TEST_SERVER="+server.Addr())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
