package listener

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/tlsconf"
	"github.com/quollhq/quoll/test/harness"
)

// encrypted is a world whose socket speaks TLS.
func encrypted(t *testing.T, mode Mode, edit func(*setup)) (*world, *harness.Certificates) {
	t.Helper()
	certs := harness.NewCertificates(t)
	o := tlsconf.Defaults()
	keys := certs.Keys()
	o.KeyStore.Location, o.TrustStore.Location = keys["ssl.keyStore.location"], keys["ssl.trustStore.location"]
	o.ClientAuth = tlsconf.WantClient
	source, err := tlsconf.Open(o, nil)
	if err != nil {
		t.Fatal(err)
	}
	conf, err := source.Server()
	if err != nil {
		t.Fatal(err)
	}
	return newWorld(t, func(s *setup) {
		s.socket.Mode, s.socket.TLS = mode, conf
		s.listener.X509Scheme = "" // identities are tested with a whole server
		if edit != nil {
			edit(s)
		}
	}), certs
}

func (w *world) dialTLS(conf *tls.Config) *peer {
	w.t.Helper()
	nc, err := tls.Dial("tcp", w.sock.Addr().String(), conf)
	if err != nil {
		w.t.Fatal(err)
	}
	return newPeer(w.t, nc)
}

func TestHandshakesAreBounded(t *testing.T) {
	w, certs := encrypted(t, Secure, func(s *setup) { s.listener.HandshakeLimit = 3 })
	var stuck []*peer
	for range 3 {
		stuck = append(stuck, w.dial())
	}
	await(t, "handshakes to begin", func() bool { return w.handshakes.Load() == 3 })
	w.dial().ended()
	if n := w.HandshakesRefused.Load(); n != 1 {
		t.Errorf("%d handshakes were refused", n)
	}
	for _, p := range stuck {
		p.Close()
	}
	await(t, "handshakes to end", func() bool { return w.handshakes.Load() == 0 })
	p := w.dialTLS(certs.ClientTLS(t, false))
	p.open()
	p.alive()
}

func TestHandshakesEndInTime(t *testing.T) {
	for _, mode := range []Mode{Secure, Unified} {
		w, _ := encrypted(t, mode, func(s *setup) { s.listener.HandshakeTimeout = 50 * time.Millisecond })
		for _, first := range []string{"", "\x16", "\x16\x03\x01", "\x16\x03\x01\x02\x00\x01"} {
			p := w.dial()
			p.send([]byte(first))
			p.ended()
		}
		await(t, "the count", func() bool { return w.Sessionless.Load() == 4 })
	}
}

// TestEncryptedClients send and are sent more than one record holds, are told
// of events and have their sessions closed.
func TestEncryptedClients(t *testing.T) {
	for _, mode := range []Mode{Secure, Unified} {
		w, certs := encrypted(t, mode, nil)
		p, q := w.dialTLS(certs.ClientTLS(t, true)), w.dialTLS(certs.ClientTLS(t, false))
		p.open()
		q.open()
		big := strings.Repeat("x", 900_000)
		p.must(proto.OpCreate, createBody("/big", big, 0))
		q.must(proto.OpGetData, readBody("/big", true))
		p.must(proto.OpSetData, setBody("/big", "", -1))
		if h, _ := q.reply(); h.Xid != proto.XidNotification {
			t.Errorf("%+v, want the event", h)
		}
		p.must(proto.OpSetData, setBody("/big", big, -1))
		b := []byte{}
		for i := range int32(20) {
			b = append(b, message(i, proto.OpGetData, readBody("/big", false))...)
		}
		q.send(append(b, message(20, proto.OpCloseSession, nil)...))
		for i := range int32(21) {
			if h, _ := q.reply(); h.Xid != i || h.Err != 0 {
				t.Fatalf("reply %d: %+v", i, h)
			}
		}
		q.ended()
		await(t, "the connection to be forgotten", func() bool { return w.Len() == 1 })
		if infos := w.Conns(); len(infos) != 1 || !infos[0].Secure {
			t.Errorf("connections %+v", infos)
		}
	}
}

func TestPlainClientsOfAUnifiedSocket(t *testing.T) {
	w, _ := encrypted(t, Unified, nil)
	p := w.client()
	p.must(proto.OpCreate, createBody("/plain", "", 0))
	q := w.dial()
	q.send([]byte{0}) // the byte that tells, alone
	await(t, "the byte to arrive", func() bool { return w.Len() == 2 })
	q.send(frame((&proto.ConnectRequest{TimeOut: 10000, Passwd: make([]byte, 16)}).Append(nil))[1:])
	q.next()
	q.alive()
}

// TestNonsenseForTLS ends its own connection only.
func TestNonsenseForTLS(t *testing.T) {
	w, certs := encrypted(t, Secure, nil)
	p := w.dialTLS(certs.ClientTLS(t, false))
	p.open()
	for _, s := range []string{"ruok\n", "\x16\x03\x01\xff\xff" + strings.Repeat("x", 1000), strings.Repeat("\x00", 64)} {
		o := w.dial()
		o.send([]byte(s))
		o.ended()
	}
	// Whole records, and then the end of the stream in the middle of one.
	q := w.dialTLS(certs.ClientTLS(t, false))
	q.open()
	q.Conn.(*tls.Conn).NetConn().(*net.TCPConn).Write([]byte{23, 3, 3, 0, 50, 1, 2})
	q.Conn.(*tls.Conn).NetConn().(*net.TCPConn).CloseWrite()
	await(t, "the connection to end", func() bool { return w.Len() == 1 })
	p.alive()
}
