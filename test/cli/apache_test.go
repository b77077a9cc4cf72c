package cli

import (
	"bytes"
	"context"
	"errors"
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

const apacheVersion = "3.9.4"

// outcome is what a CLI's process has done.
type outcome struct {
	stdout, stderr string
	code           int
}

// runProcess runs a CLI to its end.
func runProcess(t *testing.T, cmd *exec.Cmd, stdin string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	_, err := harness.Output(cmd, 2*time.Minute)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

func javaCLI(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	home, err := harness.ZooKeeperHome(apacheVersion)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(home, "bin", "zkCli.sh"), args...)
	cmd.Env = append(os.Environ(), "TZ=UTC", "CLIENT_JVMFLAGS=", "JVMFLAGS=")
	return cmd
}

func quollCLI(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	quoll, err := harness.Binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(quoll, append([]string{"cli"}, args...)...)
	cmd.Env = append(os.Environ(), "TZ=UTC", "CLIENT_JVMFLAGS=", "JVMFLAGS=", "HOME="+t.TempDir(), harness.RaceOptions)
	return cmd
}

func timeLimit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// What differs between two runs on two servers, or between the words of two
// programs that no script looks for.
var normal = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`(?m)^([cm]time = ).*$`), "${1}DATE"},
	{regexp.MustCompile(`ephemeralOwner = 0x[0-9a-f]{2,}`), "ephemeralOwner = SESSION"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "SERVER"},
	{regexp.MustCompile(`(?m)^org\.apache\.\S+Exception: `), ""},
	{regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d+ (ERROR|WARN).*\n`), ""},
	{regexp.MustCompile(`(?m)^ZooKeeper CLI version: .*$`), "ZooKeeper CLI version"},
	{regexp.MustCompile(`(?m)^\t.*\n`), ""},                                                                                                       // the list of commands
	{regexp.MustCompile(`(?m)^(Set reconfigEnabled=true|The server runs alone|Who changes the members|The leader's log has the reason).*\n`), ""}, // advice
}

func normalise(s string) string {
	for _, n := range normal {
		s = n.pattern.ReplaceAllString(s, n.with)
	}
	return s
}

// sameOutcome compares what the two CLIs did with a script, or with one command
// if that is empty.
func sameOutcome(t *testing.T, script string, java, quoll outcome) {
	t.Helper()
	javaOut, javaEvents := split(script, java.stdout)
	quollOut, quollEvents := split(script, quoll.stdout)
	sameText(t, "stdout", normalise(javaOut), normalise(quollOut))
	if script != "" { // after one command Apache's CLI may end before it has printed the event
		sameText(t, "the list of events", javaEvents, quollEvents)
	}
	sameText(t, "stderr", normalise(java.stderr), normalise(quoll.stderr))
	if java.code != quoll.code {
		t.Errorf("exit code %d, Apache's %d", quoll.code, java.code)
	}
}

var promptPattern = regexp.MustCompile(`\[zk: [^ ]*\(\w*\) \d+\] ?`)

// split parts what commands print from the events. Apache's CLI prints those
// from a thread of their own, anywhere between the lines of prompt, echo and
// output, so prompts, echoed lines and empty lines are left out.
func split(script, stdout string) (rest, events string) {
	echoed := map[string]bool{"": true, "WATCHER::": true}
	for line := range strings.Lines(script) {
		echoed[strings.TrimSpace(line)] = true
	}
	stdout = strings.ReplaceAll(stdout, " \r", "") // where the echo of a long line is broken
	for line := range strings.Lines(promptPattern.ReplaceAllString(stdout, "")) {
		switch word := strings.TrimSpace(line); {
		case strings.HasPrefix(word, "WatchedEvent "):
			events += line
		case !echoed[word]:
			rest += line
		}
	}
	return rest, events
}

func sameText(t *testing.T, what, java, quoll string) {
	t.Helper()
	if java == quoll {
		return
	}
	j, q := strings.Split(java, "\n"), strings.Split(quoll, "\n")
	for i := range max(len(j), len(q)) {
		if i >= len(j) || i >= len(q) || j[i] != q[i] {
			from := max(0, i-3)
			t.Errorf("%s differs in line %d\n--- Apache's:\n%s\n--- quoll's:\n%s", what, i+1,
				strings.Join(j[min(from, len(j)):min(i+6, len(j))], "\n"), strings.Join(q[min(from, len(q)):min(i+6, len(q))], "\n"))
			return
		}
	}
}

// scripts are command lines for a shell that reads a pipe. Each runs on a
// server of its own, so that zxids agree, too.
func scripts(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/scripts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	return files
}

func startApache(t *testing.T) *harness.Server {
	t.Helper()
	if testing.Short() {
		t.Skip("starts Apache ZooKeeper")
	}
	return harness.Start(t, harness.ApacheVersion(apacheVersion), harness.Config{
		Keys:       map[string]string{"authProvider.sasl": "org.apache.zookeeper.server.auth.SASLAuthenticationProvider"},
		Properties: map[string]string{"zookeeper.extendedTypesEnabled": "true"},
	})
}

func TestScriptsAsApache(t *testing.T) {
	for _, file := range scripts(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			script, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			java := runProcess(t, javaCLI(t, "-server", startApache(t).Addr()), string(script))
			quoll := runProcess(t, quollCLI(t, "-server", startApache(t).Addr()), string(script))
			sameOutcome(t, string(script), java, quoll)
		})
	}
}

func TestOneShotAsApache(t *testing.T) {
	s := startApache(t)
	for _, args := range [][]string{
		{"create", "/%"}, // % is what one CLI has for itself
		{"create", "/%/a", "some data"},
		{"get", "-s", "/%"},
		{"ls", "/%"},
		{"get", "/%/nope"},
		{"nonsense"},
		{"delete", "/%"},
		{"-waitforconnection", "-timeout", "5000", "set", "/%", "x y"},
		{"set"},
		{"-r", "stat", "/%/a"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			with := func(own string) []string {
				all := append([]string{"-server", s.Addr()}, slices.Clone(args)...)
				for i := range all {
					all[i] = strings.ReplaceAll(all[i], "%", own)
				}
				return all
			}
			java := runProcess(t, javaCLI(t, with("own1")...), "")
			quoll := runProcess(t, quollCLI(t, with("own2")...), "")
			for _, o := range []*outcome{&java, &quoll} {
				for _, s := range []*string{&o.stdout, &o.stderr} {
					*s = regexp.MustCompile(`own[12]`).ReplaceAllString(*s, "own")
					*s = regexp.MustCompile(`Zxid = 0x[0-9a-f]+`).ReplaceAllString(*s, "Zxid = ZXID")
				}
			}
			sameOutcome(t, "", java, quoll)
		})
	}
}

// Whatever Apache's CLI lists as a command, with its synopsis, is here, too.
func TestCommandListAsApache(t *testing.T) {
	s := startApache(t)
	java := runProcess(t, javaCLI(t, "-server", s.Addr(), "nonsense"), "")
	quoll := runProcess(t, quollCLI(t, "-server", s.Addr(), "nonsense"), "")
	have := strings.Split(quoll.stderr, "\n")
	listed := 0
	for line := range strings.Lines(java.stderr) {
		if line = strings.TrimRight(line, "\n"); strings.HasPrefix(line, "\t") {
			listed++
			if !slices.Contains(have, line) {
				t.Errorf("missing: %q", line)
			}
		}
	}
	if listed < 25 {
		t.Errorf("Apache's CLI lists %d commands: %s", listed, java.stderr)
	}
}
