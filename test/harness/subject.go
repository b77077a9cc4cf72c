package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Subject is a server program that a test can run.
type Subject interface {
	// Name is a word for test names and logs.
	Name() string
	// Command returns the foreground command that serves the configuration in the file cfg. properties are Java system
	// properties in the form "name=value"; both servers read them from SERVER_JVMFLAGS.
	Command(ctx context.Context, cfg string, properties []string) (*exec.Cmd, error)
}

// The subjects that tests know.
var (
	// Quoll is the server of this checkout.
	Quoll Subject = quoll{}
	// Apache is Apache ZooKeeper 3.9.4, the judge of the judges.
	Apache Subject = ApacheVersion("3.9.4")
	// Apache38 is the last one of the line before.
	Apache38 Subject = ApacheVersion("3.8.6")
)

// Subjects returns the servers that QUOLL_SUBJECTS names, both by default.
func Subjects(t testing.TB) []Subject {
	t.Helper()
	names := os.Getenv("QUOLL_SUBJECTS")
	if names == "" {
		names = "apache,quoll"
	}
	var subjects []Subject
	for name := range strings.SplitSeq(names, ",") {
		switch strings.TrimSpace(name) {
		case "quoll":
			subjects = append(subjects, Quoll)
		case "apache":
			subjects = append(subjects, Apache)
		default:
			t.Fatalf("QUOLL_SUBJECTS=%q: %q is neither quoll nor apache", names, name)
		}
	}
	return subjects
}

// Each runs body once for every subject, as a subtest with its name. With -short it skips: servers are slow.
func Each(t *testing.T, body func(t *testing.T, subject Subject)) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers; not with -short")
	}
	for _, subject := range Subjects(t) {
		t.Run(subject.Name(), func(t *testing.T) { body(t, subject) })
	}
}

// AtOnce is Each for a body that waits more than it works: the subjects are beside each other.
func AtOnce(t *testing.T, body func(t *testing.T, subject Subject)) {
	t.Helper()
	Each(t, func(t *testing.T, subject Subject) {
		t.Parallel()
		body(t, subject)
	})
}

// RaceOptions is the variable of the environment for a quoll that is built with the race detector: a race ends it, and it
// does not sleep for a second before every other end.
const RaceOptions = "GORACE=halt_on_error=1 exitcode=66 atexit_sleep_ms=0"

type quoll struct{}

func (quoll) Name() string { return "quoll" }

func (quoll) Command(ctx context.Context, cfg string, properties []string) (*exec.Cmd, error) {
	binary, err := Binary()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, binary, "server", cfg)
	cmd.Env = append(environ(),
		"SERVER_JVMFLAGS="+flags(properties),
		RaceOptions,
	)
	return cmd, nil
}

// ApacheVersion is Apache ZooKeeper in another version, installed by "scripts/install-peers.sh zookeeper VERSION".
type ApacheVersion string

// Name is "apache" for the version that judges, otherwise "apache-VERSION".
func (v ApacheVersion) Name() string {
	if v == Apache {
		return "apache"
	}
	return "apache-" + string(v)
}

// Command runs the server with a small heap, unless ZK_SERVER_HEAP says otherwise (in MB), and the quick compiler alone: it
// starts in half the time.
func (v ApacheVersion) Command(ctx context.Context, cfg string, properties []string) (*exec.Cmd, error) {
	home, err := ZooKeeperHome(string(v))
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(home, "bin", "zkServer.sh"), "start-foreground", cfg)
	cmd.Env = append(os.Environ(),
		"ZK_SERVER_HEAP="+cmp.Or(os.Getenv("ZK_SERVER_HEAP"), "512"),
		"JVMFLAGS=-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
		"SERVER_JVMFLAGS="+flags(properties),
	)
	return cmd, nil
}

// environ is the environment without the tests' own variables: quoll takes QUOLL_NAME for a setting.
func environ() []string {
	return slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "QUOLL_") })
}

func flags(properties []string) string {
	var b strings.Builder
	for _, p := range properties {
		fmt.Fprintf(&b, "-D%s ", p)
	}
	return strings.TrimSpace(b.String())
}

// Binary returns the path of quoll, building it the first time in this process.
func Binary() (string, error) { return build() }

// buildDir is where Main lets quoll be built; it lives as long as the test process.
var buildDir string

// Main runs the tests of a package and then removes what the harness built for them.
func Main(m *testing.M) int {
	dir, err := os.MkdirTemp("", "quoll-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	buildDir = dir
	return m.Run()
}

var build = sync.OnceValues(func() (string, error) {
	if binary := os.Getenv("QUOLL_BINARY"); binary != "" {
		return filepath.Abs(binary)
	}
	if buildDir == "" {
		return "", errors.New("harness: TestMain must call harness.Main, which gives quoll a place to be built in")
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(buildDir, "quoll")
	// Without the profile, so that the packages which other tests have compiled are used again.
	args := []string{"build", "-pgo=off", "-tags", "failpoints", "-o", binary}
	if os.Getenv("QUOLL_RACE") == "1" {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "./cmd/quoll")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./cmd/quoll: %w\n%s", err, out)
	}
	return binary, nil
})
