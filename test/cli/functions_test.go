package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quollhq/quoll/test/harness"
)

// secureClient writes what a client needs to connect by TLS with a certificate,
// and as bob by SASL: a file of properties, and one of logins.
func secureClient(t *testing.T, certs *harness.Certificates) (properties, jaas string) {
	t.Helper()
	dir := t.TempDir()
	properties, jaas = filepath.Join(dir, "client.properties"), filepath.Join(dir, "client.jaas")
	for path, text := range map[string]string{
		properties: "zookeeper.client.secure=true\nzookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty\n" +
			"zookeeper.ssl.trustStore.location=" + filepath.Join(certs.Dir, "ca.pem") + "\nzookeeper.ssl.trustStore.type=PEM\n" +
			"zookeeper.ssl.keyStore.location=" + filepath.Join(certs.Dir, "client.pem") + "\nzookeeper.ssl.keyStore.type=PEM\n",
		jaas: "Client {\n org.apache.zookeeper.server.auth.DigestLoginModule required username=\"bob\" password=\"secret\";\n};\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return properties, jaas
}

// Every function of the shell connects as quoll cli does: by TLS with a
// certificate, as whom SASL says, to the first of several servers that is there,
// and below a node.
func TestFunctionsConnect(t *testing.T) {
	certs := harness.NewCertificates(t)
	properties, jaas := secureClient(t, certs)
	logins := filepath.Join(t.TempDir(), "server.jaas")
	text := "Server {\n org.apache.zookeeper.server.auth.DigestLoginModule required user_bob=\"secret\";\n};\n"
	if err := os.WriteFile(logins, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	keys := certs.Keys()
	keys["authProvider.sasl"] = "org.apache.zookeeper.server.auth.SASLAuthenticationProvider"
	config := harness.Config{
		Secure: true, Keys: keys,
		Properties: map[string]string{"java.security.auth.login.config": logins, "zookeeper.fips-mode": "false"},
	}
	harness.Each(t, func(t *testing.T, subject harness.Subject) {
		s := harness.Start(t, subject, config)
		quoll := func(env []string, words ...string) outcome {
			t.Helper()
			cmd := quollCLI(t)
			cmd.Args = append(cmd.Args[:1], words...)
			cmd.Env = append(cmd.Env, env...)
			return runProcess(t, cmd, "")
		}
		known := []string{"CLIENT_JVMFLAGS=-Djava.security.auth.login.config=" + jaas}
		if o := quoll(known, "cli", "-server", s.Addr(), "create", "/app", "", "sasl:bob:cdrwa"); o.code != 0 {
			t.Fatalf("exit code %d\n%s%s", o.code, o.stdout, o.stderr)
		}
		servers := fmt.Sprintf("127.0.0.1:%d,%s/app", harness.FreePort(t), s.SecureAddr())
		connect := []string{"--server", servers, "--client-configuration", properties}
		in, out := filepath.Join(t.TempDir(), "in"), filepath.Join(t.TempDir(), "out")
		if err := os.WriteFile(in, []byte(`colour {{property "shop" "colour"}}`), 0o600); err != nil {
			t.Fatal(err)
		}
		binary, err := harness.Binary()
		if err != nil {
			t.Fatal(err)
		}
		nested := append([]string{"--", binary, "discover", "orders"}, connect...)
		calls := []struct {
			want  string
			words []string // {} is where the flags of the connection belong
		}{
			{"held\n", []string{"lock", "{}", "job", "--", "echo", "held"}},
			{"leads\n", []string{"elect", "{}", "chief", "--", "echo", "leads"}},
			{"2\n", []string{"count", "{}", "visits", "+2"}},
			{"", []string{"queue", "put", "{}", "jobs", "work"}},
			{"work\n", []string{"queue", "take", "{}", "jobs"}},
			{"publish", []string{"config", "set", "{}", "shop", "colour=red"}},
			{"red\n", []string{"config", "get", "{}", "shop", "colour"}},
			{"10.0.0.7:80", append([]string{"register", "{}", "orders", "--address", "10.0.0.7", "--port", "80"}, nested...)},
			{"orders\n", []string{"discover", "{}"}},
			{"", []string{"template", "{}", "--once", "--template", in + ":" + out}},
		}
		for _, i := range []int{0, 1, 2, 3, 5, 7} { // what writes, which nobody but bob may
			if o := quoll(nil, fill(calls[i].words, connect)...); o.code == 0 || !strings.Contains(o.stderr, "not authorized") {
				t.Errorf("%v without a login: exit code %d, %q\n%s", calls[i].words, o.code, o.stdout, o.stderr)
			}
		}
		for _, call := range calls {
			if o := quoll(known, fill(call.words, connect)...); o.code != 0 || !strings.Contains(o.stdout, call.want) {
				t.Errorf("%v: exit code %d, %q\n%s", call.words, o.code, o.stdout, o.stderr)
			}
		}
		if text, err := os.ReadFile(out); err != nil || string(text) != "colour red" {
			t.Errorf("the template made %q, %v", text, err)
		}
		o := quoll(known, "count", "--server", s.SecureAddr(), "--connect-timeout", "500ms", "visits")
		if o.code != 1 || !strings.Contains(o.stderr, s.SecureAddr()) {
			t.Errorf("without TLS: exit code %d, %q\n%s", o.code, o.stdout, o.stderr)
		}
	})
}

// fill puts words in the place of {}.
func fill(words, in []string) []string {
	var all []string
	for _, w := range words {
		if w == "{}" {
			all = append(all, in...)
		} else {
			all = append(all, w)
		}
	}
	return all
}
