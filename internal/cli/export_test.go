package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
)

func TestImportRefusesOtherFiles(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":       "",
		"not json":      "hello",
		"a list":        "[]",
		"no nodes":      `{"format":"quoll-export","version":1,"root":"/a"}`,
		"no format":     `{"root":"/a","nodes":[]}`,
		"late root":     `{"format":"quoll-export","version":1,"nodes":[],"root":"/a"}`,
		"bad root":      `{"format":"quoll-export","version":1,"root":"a","nodes":[]}`,
		"newer version": `{"format":"quoll-export","version":2,"root":"/a","nodes":[]}`,
		"cut off":       `{"format":"quoll-export","version":1,"root":"/a","nodes":[{"path":""},`,
		"not closed":    `{"format":"quoll-export","version":1,"root":"/a","nodes":[{"path":""}]`,
		"no object":     `{"format":"quoll-export","version":1,"root":"/a","nodes":[7]}`,
		"bad base64":    `{"format":"quoll-export","version":1,"root":"/a","nodes":[{"path":"","dataBase64":"!"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, nodes, err := readJSON(strings.NewReader(text))
			if err == nil {
				for _, err = range nodes {
				}
			}
			if err == nil {
				t.Fatal("it is accepted")
			}
			if name != "newer version" && !errors.Is(err, errFormat) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestNodeDocOptions(t *testing.T) {
	n := nodeDoc{nodeMeta: nodeMeta{TTL: 5, ACL: []aclDoc{{"world", "anyone", "rw"}}}}
	opts, err := n.options(true)
	if err != nil || len(opts) != 2 || opts[0] != client.TTL(5*time.Millisecond) {
		t.Errorf("%v, %v", opts, err)
	}
	for _, bad := range []nodeMeta{{TTL: -1}, {TTL: maxTTL + 1}, {TTL: 1, Container: true}, {ACL: []aclDoc{{"a", "b", "x"}}}} {
		if _, err := (&nodeDoc{nodeMeta: bad}).options(true); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

func TestDirectoryRefusals(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := readDir(dir); !errors.Is(err, errFormat) {
		t.Errorf("a directory that is no export: %v", err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(exportFile, `{"format":"quoll-export","version":1,"root":"/a"}`)
	write("stray", "a file among directories")
	_, nodes, err := readDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, err = range nodes {
	}
	if !errors.Is(err, errFormat) {
		t.Errorf("a stray file: %v", err)
	}
	if _, err := newDirSink(dir, "/a"); err == nil {
		t.Error("a directory that is not empty is written to")
	}
}

func FuzzImportJSON(f *testing.F) {
	f.Add(`{"format":"quoll-export","version":1,"root":"/a","nodes":[{"path":"","data":"x"},{"path":"/b","dataBase64":"AA==","ttl":5}]}`)
	f.Add(`{"format":"quoll-export","version":1,"root":"/","nodes":[{"path":"/c","acl":[{"scheme":"world","id":"anyone","perms":"r"}],"container":true}]}`)
	f.Add(`{"x":{},"format":"quoll-export"`)
	f.Fuzz(func(t *testing.T, text string) {
		root, nodes, err := readJSON(strings.NewReader(text))
		if err != nil {
			return
		}
		if err := client.ValidatePath(root); err != nil {
			t.Fatalf("root %q: %v", root, err)
		}
		for n, err := range nodes {
			if err != nil {
				return
			}
			_, _ = n.options(true)
			_ = n.bytes()
		}
	})
}

func FuzzNames(f *testing.F) {
	f.Add("/a/.data/%25/%")
	f.Add("/%2E/%%")
	f.Fuzz(func(t *testing.T, path string) {
		if client.ValidatePath(path) != nil || path == "/" {
			return
		}
		escaped := escapePath(path)
		var back string
		for name := range strings.SplitSeq(escaped[1:], "/") {
			if strings.HasPrefix(name, ".") {
				t.Fatalf("%q: a hidden name in %q", path, escaped)
			}
			plain, err := unescapeName(name)
			if err != nil {
				t.Fatal(err)
			}
			back += "/" + plain
		}
		if back != path {
			t.Fatalf("%q came back as %q", path, back)
		}
	})
}
