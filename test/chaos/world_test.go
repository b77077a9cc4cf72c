package chaos

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/quollhq/quoll/test/harness"
)

// inside says in the environment that this process is in namespaces of its own; why not, if it is not empty but "yes".
const inside = "CHAOS_INSIDE"

// TestMain runs the tests in a network and a mount namespace of their own: whatever they set up is gone with the process,
// however it ends, and several runs do not meet.
func TestMain(m *testing.M) {
	if addr := os.Getenv(echoing); addr != "" {
		fmt.Println(echo(addr))
		os.Exit(1)
	}
	if os.Getenv(inside) != "" {
		os.Exit(harness.Main(m))
	}
	// All ensembles beside each other: they wait more than they work, however few processors there are.
	cmd := exec.Command(os.Args[0], append(os.Args[1:], "-test.parallel=4")...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), inside+"=yes")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 { // a user namespace makes its maker root, where the system lets it
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	exited, err := harness.Launch(cmd)
	if err != nil {
		os.Setenv(inside, fmt.Sprintf("network namespaces cannot be made here: %v", err))
		os.Exit(harness.Main(m))
	}
	signal.Ignore(os.Interrupt) // the terminal tells the child, too
	<-exited
	os.Exit(cmd.ProcessState.ExitCode())
}

// needNamespaces skips a test that cannot be run here, and says why.
func needNamespaces(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers")
	}
	if why := os.Getenv(inside); why != "yes" {
		t.Skip(why)
	}
	for _, tool := range []string{"ip", "nsenter", "unshare"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%v (scripts/install-peers.sh installs it)", err)
		}
	}
}

// run runs a command and gives its error with what it printed.
func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// network is a bridge between members, each in a namespace of its own, and the test's clients.
type network struct {
	subnet  int
	bridge  string
	holders []*exec.Cmd // keep the namespaces
}

// newNetwork makes n namespaces. The subnets of one process differ.
func newNetwork(t *testing.T, subnet, n int) *network {
	t.Helper()
	w := &network{subnet: subnet, bridge: fmt.Sprintf("br%d", subnet)}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"link", "add", w.bridge, "type", "bridge"},
		{"addr", "add", w.addr(0) + "/24", "dev", w.bridge},
		{"link", "set", w.bridge, "up"},
	} {
		if err := run("ip", args...); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { w.delete(t, w.bridge) })
	for i := 1; i <= n; i++ {
		if err := w.attach(t, i); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// attach makes the namespace of member i and puts it on the bridge.
func (w *network) attach(t *testing.T, i int) error {
	holder := exec.Command("unshare", "--net", "--", "sh", "-c", "echo ready; exec cat")
	stdin, err := holder.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := holder.StdoutPipe()
	if err != nil {
		return err
	}
	exited, err := harness.Launch(holder)
	if err != nil {
		return err
	}
	t.Cleanup(func() { stdin.Close(); <-exited })
	w.holders = append(w.holders, holder)
	if _, err := fmt.Fscanln(stdout, new(string)); err != nil {
		return fmt.Errorf("namespace %d: %w", i, err)
	}
	port, pid := fmt.Sprintf("v%d-%d", w.subnet, i), fmt.Sprint(holder.Process.Pid)
	if err := run("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", pid); err != nil {
		return err
	}
	t.Cleanup(func() { w.delete(t, port) })
	return errors.Join(
		run("ip", "link", "set", port, "master", w.bridge, "up"),
		w.in(i, "ip", "link", "set", "lo", "up"),
		w.in(i, "ip", "addr", "add", w.addr(i)+"/24", "dev", "eth0"),
		w.in(i, "ip", "link", "set", "eth0", "up"),
		// Or established connections would not ask the rules that cut them.
		w.in(i, "sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_early_demux"),
		// The rules that cut stand before the one that knows the member's own address.
		w.in(i, "ip", "rule", "add", "lookup", "local", "pref", "100"),
		w.in(i, "ip", "rule", "del", "pref", "0"),
	)
}

func (w *network) delete(t *testing.T, link string) {
	if err := run("ip", "link", "del", link); err != nil {
		t.Error(err)
	}
}

// enter is the command in front of one that shall run at member i's place.
func (w *network) enter(i int) []string {
	return []string{"nsenter", "--target", fmt.Sprint(w.holders[i-1].Process.Pid), "--net", "--"}
}

func (w *network) in(i int, command ...string) error {
	command = append(w.enter(i), command...)
	return run(command[0], command[1:]...)
}

// addr is the address of member i; 0 is that of the clients.
func (w *network) addr(i int) string {
	if i == 0 {
		i = 254
	}
	return fmt.Sprintf("10.77.%d.%d", w.subnet, i)
}

// cut drops all that comes from one member at another, in this direction only.
func (w *network) cut(from, to int) error {
	return w.in(to, "ip", "rule", "add", "from", w.addr(from), "blackhole", "pref", "10")
}

// mend undoes all cuts.
func (w *network) mend() error {
	var errs []error
	for i := range w.holders {
		errs = append(errs, w.in(i+1, "sh", "-c", "while ip rule del pref 10 2>/dev/null; do :; done"))
	}
	return errors.Join(errs...)
}
