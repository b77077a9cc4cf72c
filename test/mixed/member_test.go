package mixed

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/auth/sasl/gssapi/kdctest"
	"github.com/quollhq/quoll/internal/config"
	"github.com/quollhq/quoll/internal/peer/authn"
	"github.com/quollhq/quoll/internal/peer/link"
	"github.com/quollhq/quoll/internal/peer/mesh"
	"github.com/quollhq/quoll/internal/peer/socket"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/tlsconf"
	"github.com/quollhq/quoll/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

var version = flag.String("apache", "3.9.4", "which of Apache's servers are in the ensembles; others than this one have to be installed")

func apache() harness.Subject { return harness.ApacheVersion(*version) }

// patience bounds every wait for a server.
const patience = 90 * time.Second

// security is how members trust each other: what Apache's server is told, and what the test does.
type security struct {
	keys, properties map[string]string
	sockets          socket.Options
	authn            *authn.Authenticator
}

// securities are the ways, by name.
func securities(t *testing.T) map[string]security {
	t.Helper()
	certs := harness.NewCertificates(t)
	o := tlsconf.Defaults()
	o.KeyStore = tlsconf.Store{Location: filepath.Join(certs.Dir, "member.pem"), Type: "PEM"}
	o.TrustStore = tlsconf.Store{Location: filepath.Join(certs.Dir, "ca.pem"), Type: "PEM"}
	o.ClientHostnameVerification = true
	source, err := tlsconf.Open(o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	unified := socket.Options{Timeout: patience, TLS: source, AcceptPlain: true, DialTLS: true}
	encrypted := socket.Options{Timeout: patience, TLS: source, DialTLS: true}

	both := certs.MemberKeys()
	both["portUnification"] = "true"
	tls := certs.MemberKeys()
	tls["sslQuorum"] = "true"
	sasl := map[string]string{"quorum.auth.enableSasl": "true", "quorum.auth.learnerRequireSasl": "true", "quorum.auth.serverRequireSasl": "true"}
	maps.Copy(tls, sasl)
	ways := map[string]security{
		// Apache's server dials plainly, the test by TLS.
		"unified": {keys: both, sockets: unified},
		"tls+sasl": security{keys: tls, sockets: encrypted}.with(t, nil,
			`QuorumServer { org.apache.zookeeper.server.auth.DigestLoginModule required user_member="secret"; };
			QuorumLearner { org.apache.zookeeper.server.auth.DigestLoginModule required username="member" password="secret"; };`),
	}
	if os.Getenv("QUOLL_TEST_KRB5") != "" {
		k := kdctest.Start(t, "zkquorum/localhost", "zkquorum/127.0.0.1")
		module := func(principal string) string {
			return fmt.Sprintf("{ com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true useTicketCache=false keyTab=%q principal=%q; };\n",
				k.Keytab(principal), principal+"@"+kdctest.Realm)
		}
		ways["kerberos"] = security{keys: sasl, sockets: socket.Options{Timeout: patience}}.with(t, k,
			"QuorumServer "+module("zkquorum/localhost")+"QuorumLearner "+module("zkquorum/127.0.0.1"))
	}
	return ways
}

// with has members prove who they are, by what the login configuration says.
func (s security) with(t *testing.T, k *kdctest.KDC, login string) security {
	t.Helper()
	path := filepath.Join(t.TempDir(), "members.jaas")
	if err := os.WriteFile(path, []byte(login), 0o600); err != nil {
		t.Fatal(err)
	}
	s.properties = map[string]string{"java.security.auth.login.config": path, "zookeeper.fips-mode": "false"}
	cfg := &config.Config{}
	if k != nil {
		s.properties["java.security.krb5.conf"], cfg.SASL.Kerberos.Config = k.Conf, k.Conf
	}
	cfg.Ensemble.SASL = config.PeerSASL{Enabled: true, LearnerRequired: true, ServerRequired: true,
		ServerSection: "QuorumServer", LearnerSection: "QuorumLearner", ServicePrincipal: "zkquorum/localhost"}
	var err error
	if cfg.SASL.JAAS, err = config.ParseJAAS(path, []byte(login), nil); err != nil {
		t.Fatal(err)
	}
	if s.authn, err = authn.FromConfig(cfg, func() []string { return []string{"127.0.0.1"} }, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	return s
}

func address(t *testing.T, s string) wire.Address {
	t.Helper()
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return wire.Address{Host: host, Port: uint16(n)}
}

// member is quoll's connections in one seat of an ensemble of two; Apache's server has the other.
type member struct {
	*testing.T
	ensemble     *harness.Ensemble
	security     security
	self, server int
	mesh         *mesh.Mesh
	links        *link.Endpoint
	packets      chan arrived
}

// arrived is a packet, or the end of a connection.
type arrived struct {
	conn *link.Conn
	link.Packet
	err error
}

// enter takes the seat self; Apache's server is not launched.
func enter(t *testing.T, s security, self int, properties map[string]string) *member {
	t.Helper()
	m := &member{T: t, security: s, self: self, server: 3 - self, packets: make(chan arrived, 1<<12)}
	seats := make([]harness.Seat, 2)
	seats[m.server-1] = harness.Seat{Subject: apache(), Properties: properties}
	m.ensemble = harness.NewEnsemble(t, harness.EnsembleConfig{Seats: seats, Keys: s.keys, Properties: s.properties})
	own := address(t, m.ensemble.ElectionAddr(self))
	cfg := mesh.Config{
		Self: int64(self), Addresses: []wire.Address{own}, Dial: s.sockets.Dial, Timeout: patience, Logger: slog.New(slog.DiscardHandler),
		Lookup: func(sid int64) []wire.Address { return []wire.Address{address(t, m.ensemble.ElectionAddr(int(sid)))} },
	}
	links := link.Config{Handler: m, Dial: s.sockets.Dial, Timeout: patience, MaxPacket: 4 << 20, Logger: cfg.Logger}
	if s.authn != nil {
		cfg.Authenticator, links.Authenticator = s.authn, s.authn
	}
	m.mesh, m.links = mesh.New(cfg), link.New(links)
	elections, err := s.sockets.Listen(t.Context(), own)
	if err != nil {
		t.Fatal(err)
	}
	learners, err := s.sockets.Listen(t.Context(), address(t, m.ensemble.QuorumAddr(self)))
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 2)
	go func() { served <- m.mesh.Serve(elections) }()
	go func() { m.links.Serve(learners); served <- nil }()
	t.Cleanup(func() {
		m.mesh.Close()
		m.links.Close()
		for range cap(served) {
			if err := <-served; err != nil {
				t.Error(err)
			}
		}
	})
	return m
}

// Up, Received, Snapshot and Down make the member a link.Handler.
func (m *member) Up(*link.Conn) {}

func (m *member) Received(c *link.Conn, batch []link.Packet) {
	for _, p := range batch {
		m.deliver(arrived{conn: c, Packet: p})
	}
}

func (m *member) deliver(a arrived) {
	select {
	case m.packets <- a:
	case <-m.Context().Done(): // the test is over
	}
}

func (m *member) Snapshot(c *link.Conn, zxid int64, r io.Reader) (any, error) {
	s := &state{}
	err := storage.DecodeState(m.Context(), r, &storage.SnapshotInfo{Zxid: zxid}, 4<<20, s)
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (m *member) Down(c *link.Conn, err error) { m.deliver(arrived{conn: c, err: err}) }

// vote says again and again what the member votes for, until the server has said something that ok is content with.
// vote gets what the server said last.
func (m *member) vote(vote func(heard wire.Notification) wire.Notification, ok func(wire.Notification) bool) {
	m.Helper()
	// Apache's election ends when nothing is said for 200 ms.
	again := time.NewTicker(500 * time.Millisecond)
	defer again.Stop()
	deadline := time.After(patience)
	heard := wire.Notification{Round: 1}
	for {
		select {
		case got := <-m.mesh.Received():
			n, err := wire.DecodeNotification(got.Payload)
			if err != nil {
				m.Fatal(err)
			}
			if ok(n) {
				return
			}
			heard = n
		case <-again.C:
		case <-deadline:
			m.Fatalf("the server said %+v at last", heard)
		}
		n := vote(heard)
		m.mesh.Send(int64(m.server), wire.AppendNotification(nil, &n))
	}
}

// next returns the next packet that is no PING of a leader, which it answers.
func (m *member) next() arrived {
	m.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case a := <-m.packets:
			if a.err == nil && a.Type == wire.Ping && a.Data == nil && a.conn.Dialled() {
				say(a.conn, func(b []byte) []byte { return wire.AppendPong(b, a.Zxid, nil) })
				continue
			}
			return a
		case <-timer.C:
			m.Fatal("nothing came")
		}
	}
}

// want returns the next packet, which must have this type.
func (m *member) want(typ wire.Type) arrived {
	m.Helper()
	a := m.next()
	if a.err != nil || a.Type != typ {
		m.Fatalf("%v with zxid 0x%x, %v; want %v", a.Type, a.Zxid, a.err, typ)
	}
	return a
}

func (m *member) wantAck(zxid int64) {
	m.Helper()
	if a := m.want(wire.Ack); a.Zxid != zxid {
		m.Fatalf("ACK of 0x%x, want 0x%x", a.Zxid, zxid)
	}
}

func say(c *link.Conn, f func([]byte) []byte) {
	c.Append(1, f)
	c.Flush()
}

// within runs f while the test goes on; wait returns its error.
func within(f func(ctx context.Context) error) (wait func() error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	return func() error {
		defer cancel()
		return <-done
	}
}
