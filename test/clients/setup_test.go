package clients_test

import (
	"crypto/sha1"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/quollhq/quoll/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// superUser is the digest identity that may do everything; the programs know it, too.
const superUser = "super:quoll-super"

// judgeTimeout bounds one program: many times what it takes on a quiet machine.
const judgeTimeout = 5 * time.Minute

// serverLogin and clientLogin are JAAS configurations. "Mallory" has the wrong password.
const (
	serverLogin = `Server {
  org.apache.zookeeper.server.auth.DigestLoginModule required
  user_alice="alice-secret"
  user_bob="bob-secret";
};
`
	clientLogin = `Alice {
  org.apache.zookeeper.server.auth.DigestLoginModule required username="alice" password="alice-secret";
};
Bob {
  org.apache.zookeeper.server.auth.DigestLoginModule required username="bob" password="bob-secret";
};
Mallory {
  org.apache.zookeeper.server.auth.DigestLoginModule required username="alice" password="wrong";
};
`
)

// scene is a server with everything switched on that clients can use, and what a program needs to reach it.
type scene struct {
	server *harness.Server
	proxy  *harness.Proxy
	certs  *harness.Certificates
	dir    string
}

func newScene(t *testing.T, subject harness.Subject) *scene {
	t.Helper()
	s := &scene{certs: harness.NewCertificates(t), dir: t.TempDir()}
	s.put(t, "server.jaas", serverLogin)
	s.put(t, "client.jaas", clientLogin)
	keys := s.certs.Keys()
	keys["authProvider.sasl"] = "org.apache.zookeeper.server.auth.SASLAuthenticationProvider"
	keys["DigestAuthenticationProvider.superDigest"] = "super:" + digest(superUser)
	keys["extendedTypesEnabled"] = "true"
	keys["enforceQuota"] = "true"
	s.server = harness.Start(t, subject, harness.Config{
		Keys:   keys,
		Secure: true,
		Properties: map[string]string{
			"java.security.auth.login.config": filepath.Join(s.dir, "server.jaas"),
			"zookeeper.fips-mode":             "false", // or there is no DIGEST-MD5
			"znode.container.checkIntervalMs": "200",
			"zookeeper.a.property.of.nobody":  "x", // must not hurt
		},
	})
	s.proxy = harness.NewProxy(t, s.server.Addr())
	return s
}

func (s *scene) put(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// env is the environment of a program that judges this scene.
func (s *scene) env() []string {
	return append(os.Environ(),
		"QUOLL_SERVER="+s.server.Addr(),
		"QUOLL_PROXY="+s.proxy.Addr(),
		"QUOLL_SECURE="+s.server.SecureAddr(),
		"QUOLL_CERTS="+s.certs.Dir,
		"QUOLL_SUBJECT="+s.server.Subject().Name(),
	)
}

// judge runs a program against a fresh scene for each subject.
func judge(t *testing.T, command func(t *testing.T, s *scene) *exec.Cmd) {
	harness.AtOnce(t, func(t *testing.T, subject harness.Subject) {
		s := newScene(t, subject)
		cmd := command(t, s)
		cmd.Env = append(s.env(), cmd.Env...)
		harness.Judge{Command: cmd, Server: s.server, Proxy: s.proxy, Timeout: judgeTimeout}.Run(t)
	})
}

// skipShort skips a test that builds programs and starts servers.
func skipShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds programs and starts servers; not with -short")
	}
}

// digest is the hash that a digest ACL has in place of user:password.
func digest(userPassword string) string {
	sum := sha1.Sum([]byte(userPassword))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// peer is the path of something that scripts/install-peers.sh installs; without it the test fails and names the script.
func peer(t *testing.T, name ...string) string {
	t.Helper()
	path, err := harness.Peer(name...)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// prepareTimeout bounds a command that prepares a test: it may get modules from elsewhere.
const prepareTimeout = 3 * time.Minute

// run runs a command that prepares a test.
func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if out, err := harness.Output(cmd, prepareTimeout); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}
