package cli

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

// each runs test with a server and a client of it.
func each(t *testing.T, test func(t *testing.T, s *harness.Server, c *client.Client)) {
	t.Helper()
	config := harness.Config{Properties: map[string]string{"zookeeper.extendedTypesEnabled": "true"}}
	harness.Each(t, func(t *testing.T, subject harness.Subject) {
		s := harness.Start(t, subject, config)
		c, err := client.Dial(timeLimit(t), s.Addr(), client.WithAuth("digest", []byte("bob:secret")))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		test(t, s, c)
	})
}

// ok runs the CLI, which must succeed, and returns its output.
func ok(t *testing.T, s *harness.Server, stdin string, args ...string) string {
	t.Helper()
	o := runProcess(t, quollCLI(t, append([]string{"-server", s.Addr()}, args...)...), stdin)
	if o.code != 0 {
		t.Fatalf("%q: exit code %d\n%s%s", args, o.code, o.stdout, o.stderr)
	}
	return o.stdout
}

func grow(t *testing.T, c *client.Client) {
	t.Helper()
	for _, n := range []struct {
		path string
		data []byte
		opts []client.CreateOption
	}{
		{"/grown", []byte("root"), nil},
		{"/grown/null", nil, nil},
		{"/grown/empty", []byte{}, nil},
		{"/grown/binary", []byte{0, 0xff, 0x80, '\n'}, nil},
		{"/grown/text", []byte("ä \"quoted\" <tag>\u2028"), nil},
		{"/grown/acl", []byte("x"), []client.CreateOption{client.ACLs{{Perms: client.PermRead, Scheme: "world", ID: "anyone"}, {Perms: client.PermAll, Scheme: "auth"}}}},
		{"/grown/gone", []byte("x"), []client.CreateOption{client.Ephemeral}},
		{"/grown/.data", []byte("a name like a file"), nil},
		{"/grown/100%", []byte("percent"), nil},
		{"/grown/%2Ex", []byte("an escape"), nil},
		{"/grown/日本", []byte("wide"), nil},
		{"/grown/deep", nil, nil},
		{"/grown/deep/er", nil, nil},
		{"/grown/deep/er/still", []byte("here"), nil},
	} {
		if _, err := c.Create(t.Context(), n.path, n.data, n.opts...); err != nil {
			t.Fatalf("%s: %v", n.path, err)
		}
	}
}

// sameTrees compares data and ACLs of two subtrees, without ephemeral nodes.
func sameTrees(t *testing.T, c *client.Client, a, b string) {
	t.Helper()
	snap := func(root string) map[string]string {
		nodes := map[string]string{}
		for paths := []string{root}; len(paths) > 0; paths = paths[1:] {
			path := paths[0]
			names, err := c.ChildNames(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				paths = append(paths, client.Join(path, name))
			}
			data, stat, err := c.Get(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			acl, _, err := c.ACL(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			if stat.EphemeralOwner == 0 {
				text, _ := json.Marshal([]any{data == nil, data, acl})
				nodes[strings.TrimPrefix(path, root)] = string(text)
			}
		}
		return nodes
	}
	first, second := snap(a), snap(b)
	for path, want := range first {
		if got := second[path]; got != want {
			t.Errorf("%s%s: %s, want %s", b, path, got, want)
		}
	}
	if len(first) != len(second) {
		t.Errorf("%d nodes below %s, %d below %s", len(first), a, len(second), b)
	}
}

func TestExportAndImport(t *testing.T) {
	each(t, func(t *testing.T, s *harness.Server, c *client.Client) {
		grow(t, c)
		dir := t.TempDir()
		file, tree := filepath.Join(dir, "out.json"), filepath.Join(dir, "tree")

		exported := ok(t, s, "addauth digest bob:secret\nexport --file "+file+" /grown\nexport --dir "+tree+" /grown\n")
		if strings.Contains(exported, `"nodes"`) {
			t.Errorf("output %s", exported)
		}
		piped := ok(t, s, "", "-auth", "digest:bob:secret", "export", "/grown")
		script := "addauth digest bob:secret\nimport --prefix /from/file " + file + "\nimport --prefix /from/tree " + tree + "\n"
		if out := ok(t, s, script); strings.Count(out, "13 nodes created") != 2 {
			t.Errorf("import said:\n%s", out)
		}
		sameTrees(t, c, "/grown", "/from/file")
		sameTrees(t, c, "/grown", "/from/tree")

		ok(t, s, piped, "-auth", "digest:bob:secret", "import", "--prefix", "/piped", "-")
		sameTrees(t, c, "/grown", "/piped")
		if data, _, err := c.Get(t.Context(), "/piped/binary"); err != nil || !bytes.Equal(data, []byte{0, 0xff, 0x80, '\n'}) {
			t.Errorf("binary data came back as % x, %v", data, err)
		}
		testExisting(t, s, c, file)
		testMarks(t, s, c)
	})
}

func testExisting(t *testing.T, s *harness.Server, c *client.Client, file string) {
	t.Helper()
	if _, err := c.Set(t.Context(), "/from/file/deep/er/still", []byte("changed"), client.AnyVersion); err != nil {
		t.Fatal(err)
	}
	args := []string{"-server", s.Addr(), "import", "--prefix", "/from/file", file}
	if o := runProcess(t, quollCLI(t, args...), ""); o.code != 1 || !strings.Contains(o.stderr, "--existing") {
		t.Errorf("exit code %d, %s", o.code, o.stderr)
	}
	if out := ok(t, s, "", "import", "--existing", "skip", "--prefix", "/from/file", file); !strings.Contains(out, "13 skipped") {
		t.Errorf("output %s", out)
	}
	data, _, _ := c.Get(t.Context(), "/from/file/deep/er/still")
	if string(data) != "changed" {
		t.Errorf("skip left %q", data)
	}
	out := ok(t, s, "addauth digest bob:secret\nimport --existing overwrite --prefix /from/file "+file+"\n")
	if !strings.Contains(out, "13 overwritten") {
		t.Errorf("output %s", out)
	}
	sameTrees(t, c, "/grown", "/from/file")
}

func testMarks(t *testing.T, s *harness.Server, c *client.Client) {
	t.Helper()
	out := ok(t, s, "", "export", "--containers", "/grown/deep", "--ttl", "/grown/n*=60000", "/grown")
	var doc struct {
		Root  string
		Nodes []struct {
			Path      string
			Container bool
			TTL       int64
		}
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil || doc.Root != "/grown" {
		t.Fatalf("%q, %v", doc.Root, err)
	}
	var marked []string
	for _, n := range doc.Nodes {
		if n.Container {
			marked = append(marked, "container "+n.Path)
		}
		if n.TTL != 0 {
			marked = append(marked, "ttl "+n.Path)
		}
	}
	slices.Sort(marked)
	if !slices.Equal(marked, []string{"container /deep", "ttl /null"}) {
		t.Errorf("marked %q", marked)
	}
	ok(t, s, out, "import", "--no-acl", "--prefix", "/marked", "-")
	if _, found, err := c.Exists(t.Context(), "/marked/deep/er"); err != nil || !found {
		t.Errorf("%v, %v", found, err)
	}
}
