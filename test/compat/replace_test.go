package compat_test

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quollhq/quoll/test/harness"
)

const (
	quollModule  = "github.com/quollhq/quoll"
	compatModule = quollModule + "/compat/zk"
	version      = "v0.0.0" // the one that compat/zk's go.mod requires of quoll
)

// TestReplace publishes quoll and compat/zk to a module proxy, and builds a program that was written for go-zookeeper/zk
// with one more line in its go.mod.
func TestReplace(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program; not with -short")
	}
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	proxy := t.TempDir()
	publish(t, proxy, root, quollModule, "client", "recipe", "internal/jute", "internal/proto")
	publish(t, proxy, filepath.Join(root, "compat", "zk"), compatModule, ".")

	dir := t.TempDir()
	program := filepath.Join(root, "test", "clients", "go")
	if err := os.CopyFS(dir, os.DirFS(program)); err != nil {
		t.Fatal(err)
	}
	env, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE", "GOPROXY").Output()
	if err != nil {
		t.Fatal(err)
	}
	cache, upstream, _ := strings.Cut(strings.TrimSpace(string(env)), "\n")
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = dir
		// A cache of its own: the version that is published here is nobody else's.
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod -modcacherw", "GOMODCACHE="+t.TempDir(), "GOSUMDB=off",
			"GOPROXY=file://"+proxy+",file://"+filepath.Join(cache, "cache", "download")+","+upstream)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run("mod", "edit", "-replace", "github.com/go-zookeeper/zk="+compatModule+"@"+version)
	run("build", "-o", "program", ".")
	if info := run("version", "-m", "program"); !strings.Contains(info, "=>\t"+compatModule+"\t"+version) {
		t.Errorf("the program is not made of compat/zk:\n%s", info)
	}
}

// publish puts some folders of a module into a proxy's directory.
func publish(t *testing.T, proxy, root, module string, folders ...string) {
	t.Helper()
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	add := func(name string, content []byte) {
		w, err := z.Create(module + "@" + version + "/" + name)
		if err == nil {
			_, err = w.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	add("go.mod", mod)
	files := os.DirFS(root)
	for _, folder := range folders {
		err := fs.WalkDir(files, folder, func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			content, err := fs.ReadFile(files, name)
			if err == nil {
				add(name, content)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(proxy, filepath.FromSlash(module), "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"list":            []byte(version + "\n"),
		version + ".info": []byte(`{"Version":"` + version + `","Time":"2026-01-01T00:00:00Z"}`),
		version + ".mod":  mod,
		version + ".zip":  archive.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
