package clients_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/quollhq/quoll/test/harness"
)

// TestJava is Apache's Java client and Curator on it.
func TestJava(t *testing.T) {
	skipShort(t)
	path := filepath.Join(zooKeeperHome(t), "lib", "*") + ":" + filepath.Join(peer(t, "curator", "lib"), "*")
	sources, err := filepath.Glob("java/*.java")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sources: %v", err)
	}
	classes := t.TempDir()
	run(t, ".", "javac", append([]string{"-nowarn", "-proc:none", "-d", classes, "-cp", path}, sources...)...)
	path = classes + ":" + filepath.Join(zooKeeperHome(t), "conf") + ":" + path
	judge(t, func(t *testing.T, s *scene) *exec.Cmd {
		return exec.Command("java", "-cp", path, "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
			"-Dzookeeper.log.level=WARN", "-Dzookeeper.fips-mode=false",
			"-Djava.security.auth.login.config="+filepath.Join(s.dir, "client.jaas"), "Judge")
	})
}

// TestKazoo is kazoo, Python's client, and its recipes.
func TestKazoo(t *testing.T) {
	skipShort(t)
	python := peer(t, "venv", "bin", "python")
	judge(t, func(*testing.T, *scene) *exec.Cmd { return exec.Command(python, "-B", "kazoo/judge.py") })
}

// TestGo is github.com/go-zookeeper/zk. Its program is a module of its own: quoll's does not depend on it.
func TestGo(t *testing.T) {
	skipShort(t)
	binary := filepath.Join(t.TempDir(), "judge")
	run(t, "go", "go", "build", "-o", binary, ".")
	judge(t, func(*testing.T, *scene) *exec.Cmd { return exec.Command(binary) })
}

// TestGoCompat is the same program with compat/zk in place of github.com/go-zookeeper/zk, by lines in its go.mod.
func TestGoCompat(t *testing.T) {
	skipShort(t)
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("go")); err != nil {
		t.Fatal(err)
	}
	run(t, dir, "go", "mod", "edit", "-replace", "github.com/go-zookeeper/zk="+filepath.Join(root, "compat", "zk"),
		"-replace", "github.com/quollhq/quoll="+root)
	binary := filepath.Join(dir, "judge")
	run(t, dir, "go", "build", "-mod=mod", "-o", binary, ".")
	judge(t, func(*testing.T, *scene) *exec.Cmd { return exec.Command(binary) })
}

// TestC is the C client's library, libzookeeper_mt.
func TestC(t *testing.T) {
	skipShort(t)
	sources, err := filepath.Glob("c/*.c")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sources: %v", err)
	}
	if _, err := os.Stat("/usr/include/zookeeper/zookeeper.h"); err != nil {
		t.Fatalf("libzookeeper-mt-dev is not installed: run scripts/install-peers.sh (%v)", err)
	}
	binary := filepath.Join(t.TempDir(), "judge")
	args := append([]string{"-std=gnu11", "-O1", "-Wall", "-Wextra", "-o", binary}, sources...)
	run(t, ".", "gcc", append(args, "-lzookeeper_mt", "-lpthread")...)
	judge(t, func(*testing.T, *scene) *exec.Cmd { return exec.Command(binary) })
}

// TestNode is node-zookeeper-client.
func TestNode(t *testing.T) {
	skipShort(t)
	modules := peer(t, "node", "node_modules")
	judge(t, func(*testing.T, *scene) *exec.Cmd {
		cmd := exec.Command("node", "node/judge.js")
		cmd.Env = []string{"QUOLL_NODE=" + modules}
		return cmd
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
