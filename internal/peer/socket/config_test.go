package socket

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/config"
	"github.com/quollhq/quoll/internal/peer/wire"
)

// load reads a zoo.cfg of three members with these lines.
func load(t *testing.T, lines ...string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "zoo.cfg")
	text := "dataDir=" + dir + "\ninitLimit=5\nsyncLimit=2\nserver.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\n" + strings.Join(lines, "\n")
	if err := errors.Join(os.WriteFile(file, []byte(text), 0o600), os.WriteFile(filepath.Join(dir, "myid"), []byte("1"), 0o600)); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Load(config.Sources{File: file})
	if err != nil {
		t.Fatal(err)
	}
	return &cfg
}

func TestFromConfig(t *testing.T) {
	stores, err := filepath.Abs(filepath.Join("..", "..", "tlsconf", "testdata"))
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{"ssl.quorum.keyStore.location=" + filepath.Join(stores, "server.pem"), "ssl.quorum.trustStore.location=" + filepath.Join(stores, "ca.pem")}
	for name, c := range map[string]struct {
		lines                   []string
		tls, dialTLS, takePlain bool
		keepAlive, delay        bool
	}{
		"nothing":  {},
		"tls":      {lines: append(keys, "sslQuorum=true"), tls: true, dialTLS: true},
		"either":   {lines: append(keys, "portUnification=true"), tls: true, takePlain: true},
		"both":     {lines: append(keys, "portUnification=true", "sslQuorum=true"), tls: true, dialTLS: true, takePlain: true},
		"the rest": {lines: []string{"tcpKeepAlive=true", "follower.nodelay=false"}, keepAlive: true, delay: true},
	} {
		election, quorum, err := FromConfig(load(t, c.lines...), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, o := range []Options{election, quorum} {
			if (o.TLS != nil) != c.tls || o.DialTLS != c.dialTLS || o.AcceptPlain != c.takePlain || o.Timeout.Seconds() != 5 {
				t.Errorf("%s: %+v", name, o)
			}
		}
		if election.TLS != quorum.TLS || election.Unacked.Seconds() != 6 || quorum.Unacked != 0 || election.KeepAlive != c.keepAlive || quorum.KeepAlive || election.Delay || quorum.Delay != c.delay {
			t.Errorf("%s: %+v, %+v", name, election, quorum)
		}
	}
	_, _, err = FromConfig(load(t, "sslQuorum=true"), nil)
	if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "ssl.quorum.keyStore.location") {
		t.Error(err)
	}
	_, _, err = FromConfig(load(t, "sslQuorum=true", "ssl.quorum.keyStore.location=/nowhere.pem"), nil)
	if !errors.Is(err, ErrConfig) || !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// addresses are those of hosts, with ports to be chosen.
func addresses(hosts ...string) (list []wire.Address) {
	for _, h := range hosts {
		list = append(list, wire.Address{Host: h})
	}
	return list
}

func addressOf(l net.Listener) wire.Address {
	a := l.Addr().(*net.TCPAddr)
	return wire.Address{Host: a.IP.String(), Port: uint16(a.Port)}
}

func TestAddresses(t *testing.T) {
	m := config.Member{Addrs: []config.PeerAddr{{Host: "a", Quorum: 1, Election: 2}, {Host: "::1", Quorum: 1, Election: 3}}}
	election, quorum := Addresses(m, false)
	if !slices.Equal(election, []wire.Address{{Host: "a", Port: 2}, {Host: "::1", Port: 3}}) || !slices.Equal(quorum, []wire.Address{{Host: "a", Port: 1}, {Host: "::1", Port: 1}}) {
		t.Error(election, quorum)
	}
	if election, quorum = Addresses(m, true); !slices.Equal(election, []wire.Address{{Port: 2}, {Port: 3}}) || !slices.Equal(quorum, []wire.Address{{Port: 1}, {Port: 1}}) {
		t.Error(election, quorum)
	}
}

// A member with several addresses listens at all of them until it is closed.
func TestListenAll(t *testing.T) {
	addresses := addresses("127.0.0.1", "127.0.0.2")
	l, err := Options{}.ListenAll(t.Context(), append(addresses, addresses[1]), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	all := l.(*joined).listeners
	if len(all) != len(addresses) {
		t.Fatalf("%d listeners", len(all))
	}
	for i := range addresses {
		addresses[i] = addressOf(all[i])
	}
	for _, a := range addresses {
		here, err := Options{Timeout: patience}.Dial(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		there, err := l.Accept()
		if err != nil || there.RemoteAddr().String() != here.LocalAddr().String() {
			t.Fatal(err)
		}
		here.Close()
		there.Close()
	}
	if _, err := (Options{}).ListenAll(t.Context(), addresses, 1); err == nil {
		t.Error("listens where somebody listens")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (Options{}).ListenAll(ctx, addresses, 0); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	waiting, err := Options{Timeout: patience}.Dial(t.Context(), addresses[1]) // never accepted
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := (Options{}).ListenAll(t.Context(), nil, 1); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}
