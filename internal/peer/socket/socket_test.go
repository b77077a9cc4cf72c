package socket

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/tlsconf"
)

// patience bounds what must come soon.
const patience = 10 * time.Minute

func source(t *testing.T, key string, change func(*tlsconf.Options)) *tlsconf.Source {
	t.Helper()
	stores := filepath.Join("..", "..", "tlsconf", "testdata")
	o := tlsconf.Defaults()
	o.ClientHostnameVerification = true
	o.KeyStore.Location = filepath.Join(stores, key)
	o.TrustStore.Location = filepath.Join(stores, "ca.pem")
	if change != nil {
		change(&o)
	}
	s, err := tlsconf.Open(o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// server answers each connection with what it gets.
func server(t *testing.T, o Options) wire.Address {
	t.Helper()
	l, err := o.Listen(t.Context(), wire.Address{})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if conn.SetDeadline(time.Now().Add(patience)) == nil {
				_, _ = io.Copy(conn, conn)
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-served })
	return wire.Address{Host: "127.0.0.1", Port: uint16(l.Addr().(*net.TCPAddr).Port)}
}

// echo says something on a connection and hears it again.
func echo(conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	const said = "\xff\xff\x00\x00 hello"
	if _, err := io.WriteString(conn, said); err != nil {
		return err
	}
	got := make([]byte, len(said))
	if _, err := io.ReadFull(conn, got); err != nil {
		return err
	}
	if string(got) != said {
		return errors.New("got something else")
	}
	return nil
}

// Each step of the way from plain to TLS understands the one before and after it.
func TestFromPlainToTLS(t *testing.T) {
	tls := source(t, "server.pem", nil)
	steps := []Options{
		{},
		{TLS: tls, AcceptPlain: true},
		{TLS: tls, AcceptPlain: true, DialTLS: true},
		{TLS: tls, DialTLS: true},
	}
	for accepts, a := range steps {
		a.Timeout = patience
		address := server(t, a)
		for dials, d := range steps {
			d.Timeout = patience
			conn, err := d.Dial(t.Context(), address)
			if err == nil {
				err = echo(conn)
				conn.Close()
			}
			works := accepts == 1 || accepts == 2 || d.DialTLS == (accepts == 3)
			if (err == nil) != works {
				t.Errorf("step %d dials step %d: %v", dials, accepts, err)
			}
			if accepts == 0 && d.DialTLS {
				break // it answers with what it gets, which is no TLS
			}
		}
	}
}

// Members must have a certificate that the authority signed, for the host where they are.
func TestCertificates(t *testing.T) {
	good := source(t, "server.pem", nil)
	address := server(t, Options{TLS: good, AcceptPlain: true})
	for name, c := range map[string]struct {
		from *tlsconf.Source
		host string
		want string // part of the error
	}{
		"good":               {good, "localhost", ""},
		"for another host":   {good, "127.0.0.2", "does not name 127.0.0.2"},
		"of another host":    {source(t, "cnonly.pem", nil), "localhost", ""},
		"unknown authority":  {source(t, "server.pem", func(o *tlsconf.Options) { o.TrustStore.Location = "" }), "localhost", "unknown authority"},
		"names do not count": {source(t, "server.pem", func(o *tlsconf.Options) { o.HostnameVerification = false }), "127.0.0.2", ""},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := Options{TLS: c.from, DialTLS: true, Timeout: patience}.Dial(t.Context(), wire.Address{Host: c.host, Port: address.Port})
			if err == nil {
				err = echo(conn)
				conn.Close()
			}
			refused := name == "of another host" // the other side says so, in TLS 1.3 after the handshake
			if refused && err == nil || !refused && c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// A connection that does not say what it is does not last, whatever deadline it has.
func TestDetectionHasATime(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	conn := &either{raw: there, patience: time.Millisecond}
	defer conn.Close()
	if _, err := conn.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "in time") {
		t.Error(err)
	}
	if _, err := conn.Write([]byte("x")); err == nil {
		t.Error("something was written to it")
	}
}

// The first bytes may come one by one.
func TestDetectionOfPieces(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	const said = "\x15\x03\x03\x00\x00 is no record"
	go func() {
		for _, b := range []byte(said) {
			if _, err := here.Write([]byte{b}); err != nil {
				return
			}
		}
	}()
	conn := &either{raw: there}
	defer conn.Close()
	got := make([]byte, len(said))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != said {
		t.Errorf("%q, %v", got, err)
	}
}

// One TLS server without a key cannot listen.
func TestNoKey(t *testing.T) {
	_, err := Options{TLS: source(t, "", func(o *tlsconf.Options) { o.KeyStore.Location = "" })}.Listen(t.Context(), wire.Address{Host: "127.0.0.1"})
	if !errors.Is(err, tlsconf.ErrNoKey) {
		t.Error(err)
	}
}

// One of several connections is kept, the others are closed.
func TestFirst(t *testing.T) {
	others := make(chan net.Conn, 3)
	var all sync.WaitGroup
	all.Add(cap(others))
	dial := func(_ context.Context, a wire.Address) (net.Conn, error) {
		if a.Port == 0 {
			return nil, errors.New("refused")
		}
		all.Done()
		all.Wait() // all are there at once
		here, there := net.Pipe()
		others <- there
		return here, nil
	}
	conn, address, err := First(t.Context(), []wire.Address{{Host: "a"}, {Port: 1}, {Port: 2}, {Port: 3}}, dial)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if address.Port == 0 {
		t.Errorf("connected with %v", address)
	}
	open := 0
	for range cap(others) {
		there := <-others
		if there.SetReadDeadline(time.Unix(1, 0)) != nil {
			continue // both ends of a pipe know that one is closed
		}
		if _, err := there.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			open++
		}
	}
	if open != 1 {
		t.Errorf("%d connections are open", open)
	}
	if _, _, err := First(t.Context(), nil, dial); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	if _, _, err := First(t.Context(), []wire.Address{{Host: "a"}, {Host: "b"}}, dial); err == nil {
		t.Error("dialled")
	}
}

// TestCutShort closes a connection by TLS after a write that was given up: the other side sees its end, and nothing that
// looks forged.
func TestCutShort(t *testing.T) {
	tls := source(t, "server.pem", nil)
	l, err := Options{TLS: tls}.Listen(t.Context(), wire.Address{Host: "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	read := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			read <- err
			return
		}
		defer conn.Close()
		_, err = io.Copy(io.Discard, conn)
		read <- err
	}()
	conn, err := Options{DialTLS: true, TLS: tls}.Dial(t.Context(), wire.Address{Host: "127.0.0.1", Port: uint16(l.Addr().(*net.TCPAddr).Port)})
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("late")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("wrote: %v", err)
	}
	conn.Close()
	if err := <-read; err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the other side: %v", err)
	}
}
