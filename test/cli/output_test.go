package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

// decode reads one line of JSON.
func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}

func TestJSON(t *testing.T) {
	each(t, func(t *testing.T, s *harness.Server, c *client.Client) {
		script := strings.Join([]string{
			"create /json x", "get /json", "set -b /json /w==", "get /json", "ls /json", "stat /json", "getAcl /json",
			"whoami", "getAllChildrenNumber /json", "addWatch /json", "set /json y", "history", "delete /json",
		}, "\n")
		out := strings.Split(strings.TrimSpace(ok(t, s, script, "-o", "json")), "\n")
		find := func(key string) map[string]any {
			t.Helper()
			for i, line := range out {
				if v := decode(t, line); v[key] != nil {
					out = out[i+1:]
					return v
				}
			}
			t.Fatalf("no line with %q in %q", key, out)
			return nil
		}
		if v := find("path"); v["path"] != "/json" {
			t.Errorf("create: %v", v)
		}
		if v := find("data"); v["data"] != "x" || v["stat"].(map[string]any)["dataLength"] != 1.0 {
			t.Errorf("get: %v", v)
		}
		if v := find("dataBase64"); v["dataBase64"] != "/w==" || v["data"] != nil {
			t.Errorf("get: %v", v)
		}
		if v := find("acl"); v["acl"].([]any)[0].(map[string]any)["perms"] != "cdrwa" {
			t.Errorf("getAcl: %v", v)
		}
		find("identities")
		if v := find("count"); v["count"] != 0.0 {
			t.Errorf("getAllChildrenNumber: %v", v)
		}
		if v := find("event"); v["event"].(map[string]any)["type"] != "NodeDataChanged" {
			t.Errorf("event: %v", v)
		}
		find("history")

		o := runProcess(t, quollCLI(t, "-server", s.Addr(), "-o", "json", "get", "/json"), "")
		failure := decode(t, o.stderr)["error"].(map[string]any)
		if o.code != 1 || o.stdout != "" || failure["name"] != "NoNode" || failure["path"] != "/json" || failure["code"] != -101.0 {
			t.Errorf("exit code %d, %q, %v", o.code, o.stdout, failure)
		}
	})
}

func TestTree(t *testing.T) {
	each(t, func(t *testing.T, s *harness.Server, c *client.Client) {
		for _, path := range []string{"/t", "/t/b", "/t/a", "/t/a/deep"} {
			if _, err := c.Create(t.Context(), path, []byte("xy")); err != nil {
				t.Fatal(err)
			}
		}
		want := "/t\n├── a\n│   └── deep\n└── b\n\n4 nodes\n"
		if got := ok(t, s, "", "tree", "/t"); got != want {
			t.Errorf("drawn:\n%s", got)
		}
		if got := ok(t, s, "", "tree", "-d", "1", "-l", "/t"); !strings.Contains(got, "├── a  [2 bytes, version 0, 1 children]\n└── b") {
			t.Errorf("drawn:\n%s", got)
		}
		v := decode(t, ok(t, s, "", "-o", "json", "tree", "/t"))
		if first := v["children"].([]any)[0].(map[string]any); first["name"] != "a" || first["stat"] == nil {
			t.Errorf("tree %v", v)
		}
	})
}

// bench measures the servers of the shell, below its chroot, and leaves nothing.
func TestBenchCommand(t *testing.T) {
	each(t, func(t *testing.T, s *harness.Server, c *client.Client) {
		if _, err := c.Create(t.Context(), "/bench", nil); err != nil {
			t.Fatal(err)
		}
		inside := []string{"-server", s.Addr() + "/bench", "-auth", "digest:bob:secret"}
		o := runProcess(t, quollCLI(t, append(inside, "bench", "-n", "300", "-k", "10", "get", "set")...), "")
		if o.code != 0 || strings.Count(o.stdout, "  300 operations in ") != 2 {
			t.Errorf("exit code %d\n%s%s", o.code, o.stdout, o.stderr)
		}
		o = runProcess(t, quollCLI(t, append(inside, "-o", "json", "bench", "-n", "100", "-k", "10", "get")...), "")
		if v := decode(t, o.stdout); v["workload"] != "get" {
			t.Errorf("%v", v)
		}
		if names, err := c.ChildNames(t.Context(), "/bench"); err != nil || len(names) > 0 {
			t.Errorf("it leaves %v, %v", names, err)
		}
		o = runProcess(t, quollCLI(t, "-server", s.Addr(), "bench", "nonsense"), "")
		if o.code != 1 || !strings.Contains(o.stderr, `unknown workload "nonsense"`) {
			t.Errorf("exit code %d, %s", o.code, o.stderr)
		}
	})
}

// waitForWatch waits until somebody watches a path.
func waitForWatch(t *testing.T, s *harness.Server, path string) {
	t.Helper()
	for {
		reply, err := harness.FourLetterWord(timeLimit(t), s.Addr(), "wchp")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(reply, path+"\n") {
			return
		}
	}
}

// watch prints what happens until it is interrupted.
func TestWatchCommand(t *testing.T) {
	each(t, func(t *testing.T, s *harness.Server, c *client.Client) {
		cmd := quollCLI(t, "-server", s.Addr(), "watch", "/seen")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		waitForWatch(t, s, "/seen")
		if _, err := c.Create(t.Context(), "/seen", nil); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), "NodeCreated          /seen zxid: ") {
			t.Errorf("printed %q", lines.Text())
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("after an interrupt: %v", err)
		}
	})
}

func TestNoServer(t *testing.T) {
	addr := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))
	o := runProcess(t, quollCLI(t, "-server", addr, "get", "/a"), "")
	why := "connect to " + addr + ": dial tcp " + addr + ": connect: connection refused\nNothing listens there."
	if o.code != 1 || !strings.HasPrefix(o.stderr, "KeeperErrorCode = ConnectionLoss for /a\n"+why) {
		t.Errorf("exit code %d, %s", o.code, o.stderr)
	}
	o = runProcess(t, quollCLI(t, "-server", addr, "-timeout", "200", "-waitforconnection", "get", "/a"), "")
	if o.code != 1 || !strings.HasPrefix(o.stderr, "KeeperErrorCode = ConnectionLoss\n") || !strings.Contains(o.stderr, why) {
		t.Errorf("exit code %d, %s", o.code, o.stderr)
	}
	o = runProcess(t, quollCLI(t, "-server", "not:a:server", "get", "/a"), "")
	if o.code != 2 || !strings.Contains(o.stderr, "not:a:server") {
		t.Errorf("exit code %d, %s", o.code, o.stderr)
	}
	if o = runProcess(t, quollCLI(t, "-server", addr, "help", "create"), ""); o.code != 0 || !strings.Contains(o.stdout, "create -s -e /app/worker-") {
		t.Errorf("exit code %d, %s", o.code, o.stdout)
	}
}

func TestClientConfiguration(t *testing.T) {
	certs := harness.NewCertificates(t)
	harness.Each(t, func(t *testing.T, subject harness.Subject) {
		s := harness.Start(t, subject, harness.Config{Secure: true, Keys: certs.Keys()})
		properties := filepath.Join(t.TempDir(), "client.properties")
		text := "zookeeper.client.secure=true\nzookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty\n" +
			"zookeeper.ssl.trustStore.location=" + filepath.Join(certs.Dir, "ca.pem") + "\nzookeeper.ssl.trustStore.type=PEM\n" +
			"zookeeper.ssl.keyStore.location=" + filepath.Join(certs.Dir, "client.pem") + "\nzookeeper.ssl.keyStore.type=PEM\n"
		if err := os.WriteFile(properties, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		o := runProcess(t, quollCLI(t, "-server", s.SecureAddr(), "-client-configuration", properties, "whoami"), "")
		if o.code != 0 || !strings.Contains(o.stdout, "Secure connection is enabled") || !strings.Contains(o.stdout, "x509: ") {
			t.Errorf("exit code %d\n%s%s", o.code, o.stdout, o.stderr)
		}
	})
}

func TestSASLByJAAS(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"server.jaas": "Server {\n org.apache.zookeeper.server.auth.DigestLoginModule required user_bob=\"secret\";\n};\n",
		"client.jaas": "Client {\n org.apache.zookeeper.server.auth.DigestLoginModule required username=\"bob\" password=\"secret\";\n};\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := harness.Config{
		Keys:       map[string]string{"authProvider.sasl": "org.apache.zookeeper.server.auth.SASLAuthenticationProvider"},
		Properties: map[string]string{"java.security.auth.login.config": filepath.Join(dir, "server.jaas"), "zookeeper.fips-mode": "false"},
	}
	harness.Each(t, func(t *testing.T, subject harness.Subject) {
		s := harness.Start(t, subject, config)
		cmd := quollCLI(t, "-server", s.Addr(), "whoami")
		cmd.Env = append(cmd.Env, "CLIENT_JVMFLAGS=-Djava.security.auth.login.config="+filepath.Join(dir, "client.jaas"))
		o := runProcess(t, cmd, "")
		if o.code != 0 || !strings.Contains(o.stdout, "sasl: bob") || !strings.Contains(o.stdout, "state:SaslAuthenticated") {
			t.Errorf("exit code %d\n%s%s", o.code, o.stdout, o.stderr)
		}
	})
}
