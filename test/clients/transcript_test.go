package clients_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/test/harness"
)

// Transcripts are what command line clients print, committed beside this file as Apache's server makes them print it.
// Both servers must bring about the same text, zxids included: the scripts run on a fresh server, and a request that
// takes a zxid on the one takes one on the other.
//
// QUOLL_UPDATE=1 rewrites them from Apache's server.

// cliTimeout bounds one run of a command line client.
const cliTimeout = time.Minute

// TestJavaCLI is zkCli.sh with every command it has, in one interactive session.
func TestJavaCLI(t *testing.T) {
	skipShort(t)
	cli := filepath.Join(zooKeeperHome(t), "bin", "zkCli.sh")
	transcript(t, "testdata/zkcli.txt", "> ", func(t *testing.T, s *scene, commands []string) string {
		cmd := exec.Command(cli, "-server", s.server.Addr())
		script := strings.Join(commands, "\n") + "\n"
		cmd.Stdin = strings.NewReader(strings.ReplaceAll(script, "ADDR", s.server.Addr()))
		cmd.Env = append(os.Environ(), "ZOO_LOG_LEVEL=OFF")
		out, err := harness.Output(cmd, cliTimeout)
		return interactive(string(out)) + exit(t, err)
	})
}

// TestJavaCLIOneShot is zkCli.sh with a command as its arguments: output and exit status.
func TestJavaCLIOneShot(t *testing.T) {
	skipShort(t)
	cli := filepath.Join(zooKeeperHome(t), "bin", "zkCli.sh")
	transcript(t, "testdata/zkcli-oneshot.txt", "$ ", func(t *testing.T, s *scene, commands []string) string {
		return oneByOne(t, commands, func(command string) []string {
			return slices.Concat([]string{cli, "-server", s.server.Addr()}, strings.Fields(command))
		})
	})
}

// TestCLIMT is the C client's cli_mt.
func TestCLIMT(t *testing.T) {
	skipShort(t)
	const cli = "/usr/lib/zookeeper/bin/cli_mt"
	if _, err := os.Stat(cli); err != nil {
		t.Fatalf("zookeeper-bin is not installed: run scripts/install-peers.sh (%v)", err)
	}
	transcript(t, "testdata/cli_mt.txt", "$ ", func(t *testing.T, s *scene, commands []string) string {
		return oneByOne(t, commands, func(command string) []string {
			return []string{cli, s.server.Addr(), "cmd:" + command}
		})
	})
}

// transcript runs the commands of a file, its lines that begin with prompt, and compares the whole with the file.
func transcript(t *testing.T, file, prompt string, run func(t *testing.T, s *scene, commands []string) string) {
	harness.AtOnce(t, func(t *testing.T, subject harness.Subject) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var commands []string
		for line := range strings.Lines(string(b)) {
			if c, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), prompt); ok {
				commands = append(commands, c)
			}
		}
		s := newScene(t, subject)
		got := normal(run(t, s, commands), s)
		if os.Getenv("QUOLL_UPDATE") == "1" && subject == harness.Apache {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		if got != string(b) {
			t.Errorf("the transcript differs (- %s, + %s):\n%s", file, subject.Name(), diff(t, file, got))
		}
	})
}

// oneByOne runs a process for every command.
func oneByOne(t *testing.T, commands []string, args func(command string) []string) string {
	var b strings.Builder
	for _, command := range commands {
		a := args(command)
		cmd := exec.Command(a[0], a[1:]...)
		cmd.Env = append(os.Environ(), "ZOO_LOG_LEVEL=OFF")
		out, err := harness.Output(cmd, cliTimeout)
		text, _ := withoutEvents(string(out)) // a process that fails may end before it prints them
		fmt.Fprintf(&b, "$ %s\n%s%s", command, sortedNames(text), exit(t, err))
	}
	return b.String()
}

// exit is a line with the status of a process that failed, nothing of one that did not.
func exit(t *testing.T, err error) string {
	t.Helper()
	var exit *exec.ExitError
	if err == nil {
		return ""
	}
	if !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return fmt.Sprintf("exit %d\n", exit.ExitCode())
}

var (
	cliPrompt  = regexp.MustCompile(`(?m)^\[zk: \S+ \d+\] `)
	watcherPat = regexp.MustCompile(`\nWATCHER::\n|\nWatchedEvent ([^\n]*)\n`)
)

// interactive turns an interactive session into a transcript. Watch events are printed by a thread of their own, in
// between of anything, but in their order: they go to the end.
func interactive(out string) string {
	text, events := withoutEvents(out)
	text = strings.ReplaceAll(text, " \r", "") // where the line editor wraps a long line
	text = cliPrompt.ReplaceAllString(text, "> ")
	if _, session, ok := strings.Cut(text, "\n> "); ok {
		text = "> " + session
	}
	return strings.TrimRight(text, "\n") + "\n\nevents:\n" + strings.Join(events, "\n") + "\n"
}

func withoutEvents(out string) (text string, events []string) {
	for _, m := range watcherPat.FindAllStringSubmatch(out, -1) {
		if m[1] != "" {
			events = append(events, m[1])
		}
	}
	return watcherPat.ReplaceAllString(out, ""), events
}

// sortedNames sorts runs of lines that are a tab and a name: children, which servers give in any order.
func sortedNames(text string) string {
	lines := strings.SplitAfter(text, "\n")
	isName := func(l string) bool { return strings.HasPrefix(l, "\t") && !strings.Contains(l, "=") }
	for i := 0; i < len(lines); i++ {
		end := i
		for end < len(lines) && isName(lines[end]) {
			end++
		}
		slices.Sort(lines[i:end])
		i = max(i, end-1)
	}
	return strings.Join(lines, "")
}

// normals are what two runs can not have in common.
var normals = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \w{3} [ \d]\d \d\d:\d\d:\d\d (UTC )?20\d\d`), "TIME"},
	{regexp.MustCompile(`0x1[0-9a-f]{14,}`), "SESSION"},
	{regexp.MustCompile(`(ephemeralOwner = )1[0-9a-f]{14,}`), "${1}SESSION"},
	{regexp.MustCompile(`time = -?\d+ msec`), "time = N msec"},
	// cli_mt's two threads print these in any order.
	{regexp.MustCompile(`(?m)^(Batch mode: .*|Creating \[.*|Watcher SESSION_EVENT state = CONNECTED_STATE|Got a new session id: .*)\n`), ""},
	{regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+:\d+\(0x[0-9a-f]+\):`), ""},
}

func normal(text string, s *scene) string {
	text = strings.ReplaceAll(text, s.server.Addr(), "ADDR")
	for _, n := range normals {
		text = n.pattern.ReplaceAllString(text, n.with)
	}
	text = setLine.ReplaceAllStringFunc(text, func(line string) string {
		names := strings.Split(line[1:len(line)-1], ", ")
		slices.Sort(names)
		return "[" + strings.Join(names, ", ") + "]"
	})
	return identities.ReplaceAllStringFunc(text, func(block string) string {
		lines := strings.SplitAfter(block, "\n")[1:]
		slices.Sort(lines)
		return "Auth scheme: User\n" + strings.Join(lines, "")
	})
}

// A server gives ephemerals and identities in any order.
var (
	setLine    = regexp.MustCompile(`(?m)^\[.*\]$`)
	identities = regexp.MustCompile(`Auth scheme: User\n([a-z0-9]+: .*\n)*`)
)

// diff is what diff -u says.
func diff(t *testing.T, file, got string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "diff", "-u", file, "-")
	cmd.Stdin = strings.NewReader(got)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out)
}
