package datatool

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// golden is a copy of a directory that Apache's server left.
func golden(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "storage", "testdata", name))); err != nil {
		t.Fatal(err)
	}
	return dir
}

func in(dir, name string) string { return filepath.Join(dir, "version-2", name) }

func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := NewCommand()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	out, err := run(t, args...)
	if err != nil {
		t.Fatalf("quoll data %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// inUTC lets times print as they do in the golden files.
func inUTC(t *testing.T) {
	t.Helper()
	local := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = local })
}

func apache(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLogsPrintAsWithTxnLogToolkit(t *testing.T) {
	inUTC(t)
	dir := golden(t, "apache-3.9.4")
	for _, name := range []string{"log.1", "log.22"} {
		got := mustRun(t, "dump", in(dir, name))
		// The toolkit prints line ends of lists and of data as they are.
		want := apache(t, name+".txt")
		header, rest, _ := strings.Cut(want, "\n")
		for _, c := range []struct{ from, to string }{{"\n]", "]"}, {"}\n, ", "}, "}} {
			rest = strings.ReplaceAll(rest, c.from, c.to)
		}
		want = header + "\n" + escapeInner(rest)
		if got != want {
			t.Errorf("%s:\n%s", name, firstDifference(got, want))
		}
	}
}

// escapeInner escapes what the toolkit prints raw: everything but the ends of
// its lines.
func escapeInner(s string) string {
	var lines []string
	for line := range strings.SplitSeq(s, "\n") {
		begins := strings.Contains(line, " session 0x") || strings.HasPrefix(line, "EOF reached") || line == ""
		if line = text(line); begins || len(lines) == 0 {
			lines = append(lines, line)
		} else {
			lines[len(lines)-1] += `\x0a` + line
		}
	}
	return strings.Join(lines, "\n")
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return "got  " + g[i] + "\nwant " + w[i]
		}
	}
	return "one is longer"
}

func TestSnapshotsPrintAsWithSnapshotFormatter(t *testing.T) {
	inUTC(t)
	dir := golden(t, "apache-3.9.4")
	// The formatter prints nodes and sessions in the order of a hash.
	blocks := func(s string) []string {
		b := strings.Split(s, "----\n")
		for i := range b {
			if strings.HasPrefix(b[i], "Session Details") {
				lines := strings.Split(strings.TrimSpace(b[i]), "\n")
				lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "Target zxid digest") })
				slices.Sort(lines)
				b[i] = strings.Join(lines, "\n")
			}
		}
		slices.Sort(b)
		return b
	}
	got := blocks(mustRun(t, "dump", "-d", in(dir, "snapshot.4e")))
	want := blocks(apache(t, "snapshot.4e.txt"))
	if !slices.Equal(got, want) {
		t.Error(firstDifference(strings.Join(got, "\n"), strings.Join(want, "\n")))
	}
	if out := mustRun(t, "dump", in(dir, "snapshot.4e")); !strings.Contains(out, "dataLength = 2048") || strings.Contains(out, "data = ") {
		t.Error(out)
	}
}

func TestSummaryIsThatOfApache(t *testing.T) {
	dir := golden(t, "apache-3.9.4")
	if got, want := mustRun(t, "summary", in(dir, "snapshot.4e"), "/", "2"), strings.TrimRight(apache(t, "summary.txt"), "\n")+"\n"; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if _, err := run(t, "summary", in(dir, "snapshot.4e"), "/none"); err == nil {
		t.Error("a node that is not there has a summary")
	}
}

func TestNcduExportHasTheNodesOfApache(t *testing.T) {
	dir := golden(t, "apache-3.9.4")
	sizes := func(s string) map[string]float64 {
		var v any
		if err := json.Unmarshal([]byte(s), &v); err != nil {
			t.Fatal(err)
		}
		m := map[string]float64{}
		var walk func(path string, v any)
		walk = func(path string, v any) {
			switch v := v.(type) {
			case map[string]any:
				m[path+"/"+v["name"].(string)] = v["asize"].(float64)
			case []any:
				path += "/" + v[0].(map[string]any)["name"].(string)
				m[path] = v[0].(map[string]any)["asize"].(float64)
				for _, c := range v[1:] {
					walk(path, c)
				}
			}
		}
		walk("", v.([]any)[3])
		return m
	}
	got, want := sizes(mustRun(t, "dump", "-o", "ncdu", in(dir, "snapshot.4e"))), sizes(apache(t, "snapshot.4e.json"))
	if len(got) != 42 || len(got) != len(want) {
		t.Errorf("%d nodes, want %d", len(got), len(want))
	}
	for path, size := range want {
		if got[path] != size {
			t.Errorf("%s: %v bytes, want %v", path, got[path], size)
		}
	}
}

func TestJSONLines(t *testing.T) {
	dir := golden(t, "apache-3.9.4")
	lines := strings.Split(strings.TrimSpace(mustRun(t, "dump", "-o", "json", in(dir, "log.1"))), "\n")
	if len(lines) != 33 {
		t.Fatalf("%d transactions", len(lines))
	}
	var l struct {
		Zxid, Type, Path string
		Data             []byte
		Multi            []struct{ Type, Path string }
		Digest           struct{ Version int }
	}
	for _, line := range lines {
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.Digest.Version != 2 {
			t.Fatalf("%s: %v", line, err)
		}
		switch {
		case l.Zxid == "0x2" && (l.Type != "create" || l.Path != "/app" || string(l.Data) != "hello"):
			t.Error(line)
		case l.Zxid == "0x17" && (len(l.Multi) != 4 || l.Multi[1].Type != "setData"):
			t.Error(line)
		}
	}
	nodes := mustRun(t, "dump", "-o", "json", in(dir, "snapshot.4e"))
	for _, want := range []string{
		`{"path":"/","data":""`, `"kind":"container"`, `"kind":"ttl","ttl_ms":86400000`, `"kind":"ephemeral"`,
		`"acl":[{"perms":"cdrwa","scheme":"digest","id":"bob:ikIaKsbtGweaHnb/jKn7OHqbunM="},{"perms":"r","scheme":"world","id":"anyone"}]`,
	} {
		if !strings.Contains(nodes, want) {
			t.Errorf("no %s", want)
		}
	}
}

func TestEveryGoldenDirectoryVerifies(t *testing.T) {
	for _, name := range []string{"apache-3.9.4", "apache-3.9.4-gz", "apache-3.9.4-snappy", "apache-3.8.4", "apache-3.5.10"} {
		out := mustRun(t, "verify", golden(t, name))
		want := "2 transactions replayed, 2 digests compared, last zxid 0x50, 43 nodes"
		if name == "apache-3.5.10" {
			want = "2 transactions replayed, 0 digests compared, last zxid 0x50, 43 nodes"
		} else if !strings.Contains(out, "snapshot of 42 nodes, 3 sessions, 5 ACLs, digest right") {
			t.Errorf("%s:\n%s", name, out)
		}
		if !strings.Contains(out, want) {
			t.Errorf("%s:\n%s", name, out)
		}
	}
}

// TestReplayingApachesLogsGivesItsSnapshots replays from the first snapshot on
// and compares the digest after every transaction.
func TestReplayingApachesLogsGivesItsSnapshots(t *testing.T) {
	dir := golden(t, "apache-3.9.4")
	for _, name := range []string{"snapshot.21", "snapshot.4e"} {
		if err := os.Remove(in(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	// Four of them are errors outside of a multi, which have no digest.
	if out := mustRun(t, "verify", dir); !strings.Contains(out, "80 transactions replayed, 76 digests compared, last zxid 0x50") {
		t.Error(out)
	}
}

// TestASnapshotWrittenWhileTransactionsWereApplied has nodes that are newer
// than the zxid in its name. Replaying everything since gives the right digest.
func TestASnapshotWrittenWhileTransactionsWereApplied(t *testing.T) {
	out := mustRun(t, "verify", golden(t, "apache-3.9.4-fuzzy"))
	for _, want := range []string{"digest of a later transaction (0x956)", "158 transactions replayed, 140 digests compared, last zxid 0x982, 751 nodes"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func flip(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 4
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

func TestVerifyFindsDamage(t *testing.T) {
	for _, c := range []struct {
		file string
		at   int64
	}{{"log.1", 200}, {"log.4f", 40}, {"snapshot.4e", 3000}, {"snapshot.0", 60}} {
		dir := golden(t, "apache-3.9.4")
		flip(t, in(dir, c.file), c.at)
		out, err := run(t, "verify", dir)
		var found *errFound
		if !errors.As(err, &found) || found.ExitCode() != 1 || !strings.Contains(out, "DAMAGED "+in(dir, c.file)) {
			t.Errorf("%s: %v\n%s", c.file, err, out)
		}
	}
}

func TestList(t *testing.T) {
	dir := golden(t, "apache-3.9.4")
	out := mustRun(t, "list", dir)
	for _, want := range []string{"snapshot.4e", "log.22", "0x22  0x4e  45"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if got := mustRun(t, "list", "-o", "json", filepath.Join(dir, "version-2")); strings.Count(got, "\n") != 6 {
		t.Error(got)
	}
	if _, err := run(t, "list", t.TempDir()); err == nil {
		t.Error("an empty directory has a list")
	}
}

func TestConvertThereAndBack(t *testing.T) {
	dir := golden(t, "apache-3.9.4")
	src := in(dir, "snapshot.4e")
	want, err := os.ReadFile(src)
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"gz", "snappy"} {
		mustRun(t, "convert", "--to", method, src)
		back := filepath.Join(t.TempDir(), "snapshot.4e")
		mustRun(t, "convert", "--to", "none", src+"."+method, back)
		if got, err := os.ReadFile(back); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s and back: %d bytes, want %d, %v", method, len(got), len(want), err)
		}
		if out := mustRun(t, "compare", src, src+"."+method); out != "same\n" {
			t.Error(out)
		}
	}
	if _, err := run(t, "convert", "--to", "gz", src); !errors.Is(err, os.ErrExist) {
		t.Errorf("overwrites: %v", err)
	}
}

func TestCompare(t *testing.T) {
	dir := golden(t, "apache-3.9.4")
	out, err := run(t, "compare", in(dir, "snapshot.21"), in(dir, "snapshot.4e"))
	var differ *errDiffer
	if !errors.As(err, &differ) {
		t.Fatal(err)
	}
	for _, want := range []string{"+ /app/more-29 (0 nodes below, 203 bytes)", "~ /app: pzxid, cversion", "~ /zookeeper/quota/app/zookeeper_stats: data or acl"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	out, _ = run(t, "compare", "-n", "20", in(dir, "snapshot.21"), in(dir, "snapshot.4e"))
	if want := "~ /: bytes, nodes (20 and 41 nodes below, 3616 and 6352 bytes)\n~ /app: bytes, nodes (8 and 29 nodes below, 3565 and 6300 bytes)\n"; out != want {
		t.Errorf("%s\nwant\n%s", out, want)
	}
}

func TestChop(t *testing.T) {
	dir := golden(t, "apache-3.9.4")
	mustRun(t, "chop", "--zxid", "0x30", in(dir, "log.22"))
	out := mustRun(t, "dump", in(dir, "chopped.log.22"))
	if !strings.Contains(out, "zxid 0x30 ") || strings.Contains(out, "zxid 0x31 ") || !strings.Contains(out, "EOF reached after 15 txns.") {
		t.Error(out)
	}
	for _, z := range []string{"0x21", "0x4f", "x", "-1"} {
		if _, err := run(t, "chop", "--zxid", z, in(dir, "log.22"), filepath.Join(t.TempDir(), "log")); err == nil {
			t.Errorf("chopped at %s", z)
		}
	}
}

func TestRecover(t *testing.T) {
	dir := golden(t, "apache-3.9.4")
	if out := mustRun(t, "recover", in(dir, "log.22")); !strings.Contains(out, "is whole") {
		t.Error(out)
	}
	// Without newer snapshots the damaged log is needed.
	if err := os.Remove(in(dir, "snapshot.4e")); err != nil {
		t.Fatal(err)
	}
	flip(t, in(dir, "log.22"), 1000)
	if _, err := run(t, "verify", dir); err == nil {
		t.Fatal("damage is not found")
	}
	fixed := mustRun(t, "recover", "--fix-checksums", in(dir, "log.22"))
	if !strings.Contains(fixed, "new checksum: ") || !strings.Contains(fixed, "kept 45 transactions up to 0x4e (1 with a new checksum)") {
		t.Error(fixed)
	}
	if _, err := run(t, "recover", "--replace", in(dir, "log.22")); err == nil || !strings.Contains(err.Error(), "remove it or move it away") {
		t.Errorf("another result is there: %v", err)
	}
	if err := os.Remove(in(dir, "fixed.log.22")); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second finds what the first has written
		if out := mustRun(t, "recover", in(dir, "log.22")); !strings.Contains(out, "quoll data recover --replace "+in(dir, "log.22")) {
			t.Error(out)
		}
	}
	cut := mustRun(t, "recover", "--replace", in(dir, "log.22"))
	if !strings.Contains(cut, "gave up what follows offset") || !strings.Contains(cut, "damaged.log.4f") || !strings.Contains(cut, "damaged.log.22") {
		t.Error(cut)
	}
	if out := mustRun(t, "verify", dir); strings.Contains(out, "DAMAGED") {
		t.Error(out)
	}
}

func TestADirectoryIsNoFile(t *testing.T) {
	dir := golden(t, "apache-3.9.4")
	for _, command := range []string{"dump", "summary"} {
		if _, err := run(t, command, dir); err == nil || !strings.Contains(err.Error(), "is a directory") || !strings.Contains(err.Error(), "snapshot.") {
			t.Errorf("%s: %v", command, err)
		}
	}
}

func TestAFileIsNoDirectory(t *testing.T) {
	dir := golden(t, "apache-3.9.4")
	file := in(dir, "log.22")
	for _, args := range [][]string{{"list", file}, {"verify", file}, {"purge", file}, {"verify", dir, "--log-dir", file}} {
		if _, err := run(t, args...); err == nil || !strings.Contains(err.Error(), file+" is a file, want a data directory") {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestPurge(t *testing.T) {
	dir := golden(t, "apache-3.9.4")
	if out := mustRun(t, "purge", dir, "-n", "3"); out != "" {
		t.Error(out)
	}
	if _, err := run(t, "purge", dir, "-n", "2"); err == nil {
		t.Error("keeps less than three")
	}
	mustRun(t, "convert", "--to", "none", in(dir, "snapshot.4e"), in(dir, "snapshot.50"))
	if out := mustRun(t, "purge", dir, "-n", "3"); !strings.Contains(out, "snapshot.0") || strings.Contains(out, "log.22") {
		t.Error(out)
	}
}
