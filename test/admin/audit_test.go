package admin_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

// TestAudit does the same on both servers and compares the lines of their audit
// logs.
func TestAudit(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers; not with -short")
	}
	var lines []string
	for _, subject := range []harness.Subject{harness.Apache, harness.Quoll} {
		s := &scene{t: t, Server: harness.Start(t, subject, harness.Config{
			Keys:       map[string]string{"audit.enable": "true"},
			Properties: map[string]string{"zookeeper.extendedTypesEnabled": "true"},
		})}
		s.client = s.dial()
		audited(t, s)
		if err := s.client.Close(); err != nil {
			t.Fatal(err)
		}
		s.Stop()
		lines = append(lines, auditLines(t, s))
	}
	if !strings.Contains(lines[0], "operation=multiOperation") || !strings.Contains(lines[0], "operation=serverStop") {
		t.Errorf("Apache's lines:\n%s", lines[0])
	}
	same(t, "audit log", lines[0], lines[1])
}

// audited does what is logged, in one session. That something is refused is
// part of it.
func audited(t *testing.T, s *scene) {
	t.Helper()
	ctx, c := s.ctx(), s.client
	step := func(want error, err error) {
		t.Helper()
		if (err == nil) != (want == nil) {
			t.Fatalf("%s: %v", s.Subject().Name(), err)
		}
	}
	create := func(want error, path string, opts ...client.CreateOption) {
		t.Helper()
		_, err := c.Create(ctx, path, []byte("x"), opts...)
		step(want, err)
	}
	create(nil, "/plain")
	create(client.ErrNodeExists, "/plain")
	create(client.ErrNoNode, "/none/plain")
	create(nil, "/plain/seq-", client.PersistentSequential)
	create(nil, "/plain/eph", client.Ephemeral)
	create(nil, "/plain/es-", client.EphemeralSequential)
	create(nil, "/box", client.Container)
	create(nil, "/ttl", client.TTL(3600_000_000_000))
	step(nil, c.AddAuth(ctx, "digest", []byte("bob:secret")))
	step(nil, c.AddAuth(ctx, "digest", []byte("amy:secret")))
	_, err := c.Set(ctx, "/plain", []byte("y"), client.AnyVersion)
	step(nil, err)
	_, err = c.Set(ctx, "/plain", []byte("y"), 77)
	step(client.ErrBadVersion, err)
	_, err = c.SetACL(ctx, "/plain", client.CreatorACL(), client.AnyVersion)
	step(nil, err)
	_, err = c.SetACL(ctx, "/box", client.ReadACL(), client.AnyVersion)
	step(nil, err)
	create(client.ErrNoAuth, "/box/refused")
	_, err = c.Multi(ctx, client.CreateOp("/plain/m", nil), client.SetOp("/plain/m", []byte("z"), 0),
		client.CheckOp("/plain", client.AnyVersion), client.DeleteOp("/plain/m", client.AnyVersion))
	step(nil, err)
	_, err = c.Multi(ctx, client.CreateOp("/plain/n", nil), client.DeleteOp("/none", client.AnyVersion))
	step(client.ErrNoNode, err)
	step(nil, c.Delete(ctx, "/ttl", client.AnyVersion))
	step(client.ErrNotEmpty, c.Delete(ctx, "/plain", client.AnyVersion))
	_, _, err = c.Reconfigure(ctx, client.Reconfiguration{Joining: "server.2=localhost:1:2;3", Version: -1})
	step(client.ErrReconfigDisabled, err)
}

var (
	auditLine = regexp.MustCompile(`(?:Slf4jAuditLogger - |msg=audit event=")(.*)`)
	sessionID = regexp.MustCompile(`session=0x[0-9a-f]+`)
)

// auditLines are the events, with tabs as they are.
func auditLines(t *testing.T, s *scene) string {
	t.Helper()
	log, err := os.ReadFile(s.LogPath())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, m := range auditLine.FindAllStringSubmatch(string(log), -1) {
		line := strings.ReplaceAll(strings.TrimSuffix(strings.TrimRight(m[1], "\r"), `"`), `\t`, "\t")
		b.WriteString(sessionID.ReplaceAllString(line, "session=S") + "\n")
	}
	return b.String()
}
