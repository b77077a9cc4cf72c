package clients_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/quollhq/quoll/test/harness"
)

// TestJava is Apache's Java client and Curator on it.
func TestJava(t *testing.T) {
	var classes string
	judge(t, func(t *testing.T, s *scene) *exec.Cmd {
		path := filepath.Join(zooKeeperHome(t), "lib", "*") + ":" + filepath.Join(peer(t, "curator", "lib"), "*")
		if classes == "" {
			classes = t.TempDir()
			sources, err := filepath.Glob("java/*.java")
			if err != nil || len(sources) == 0 {
				t.Fatalf("no sources: %v", err)
			}
			run(t, ".", "javac", append([]string{"-nowarn", "-proc:none", "-d", classes, "-cp", path}, sources...)...)
		}
		conf := filepath.Join(zooKeeperHome(t), "conf")
		return exec.Command("java", "-cp", classes+":"+conf+":"+path, "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
			"-Dzookeeper.log.level=WARN", "-Dzookeeper.fips-mode=false",
			"-Djava.security.auth.login.config="+filepath.Join(s.dir, "client.jaas"), "Judge")
	})
}

func zooKeeperHome(t *testing.T) string {
	t.Helper()
	home, err := harness.ZooKeeperHome("3.9.4")
	if err != nil {
		t.Fatal(err)
	}
	return home
}

// TestKazoo is kazoo, Python's client, and its recipes.
func TestKazoo(t *testing.T) {
	judge(t, func(t *testing.T, s *scene) *exec.Cmd {
		return exec.Command(peer(t, "venv", "bin", "python"), "-B", "kazoo/judge.py")
	})
}
