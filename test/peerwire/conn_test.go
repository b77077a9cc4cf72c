package peerwire

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/peer/wire/wiretest"
	"github.com/quollhq/quoll/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// patience bounds every wait for a server.
const patience = 90 * time.Second

// versions are the servers that the tests speak with; the first is part of every installation, of the others those that
// are installed.
func versions(t *testing.T) []harness.ApacheVersion {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers; not with -short")
	}
	all := []harness.ApacheVersion{"3.9.4"}
	for _, v := range []harness.ApacheVersion{"3.8.6", "3.5.10", "3.4.14"} {
		if _, err := harness.ZooKeeperHome(string(v)); err == nil {
			all = append(all, v)
		}
	}
	return all
}

// old tells servers before 3.5: no reconfiguration, no configuration in notifications.
func old(v harness.ApacheVersion) bool { return strings.HasPrefix(string(v), "3.4.") }

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			t.Cleanup(func() { conn.Close() })
			return conn
		}
		select { // it may not listen so far
		case <-ctx.Done():
			t.Fatal(err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func accept(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	stop := time.AfterFunc(patience, func() { l.Close() })
	defer stop.Stop()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func send(t *testing.T, conn net.Conn, b []byte) {
	t.Helper()
	if err := conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(b); err != nil {
		t.Fatal(err)
	}
}

// quorum is one connection between a leader and a learner; the test is one of them.
type quorum struct {
	t    *testing.T
	conn net.Conn
	r    *wire.Reader
	p    wire.Packet
	seen bytes.Buffer // everything that the server sent
}

func newQuorum(t *testing.T, conn net.Conn) *quorum {
	q := &quorum{t: t, conn: conn}
	q.r = wire.NewReader(io.TeeReader(conn, &q.seen), 4<<20)
	return q
}

func (q *quorum) send(b []byte) {
	q.t.Helper()
	send(q.t, q.conn, b)
}

// next returns the next packet that is no PING of a leader, which it answers. The packet is valid until the next call.
func (q *quorum) next() *wire.Packet {
	q.t.Helper()
	if err := q.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		q.t.Fatal(err)
	}
	for {
		if err := q.r.Next(&q.p); err != nil {
			q.t.Fatal(err)
		}
		if q.p.Type != wire.Ping || q.p.Data != nil {
			return &q.p
		}
		q.send(wire.AppendPong(nil, q.p.Zxid, nil))
	}
}

// want returns the next packet, which must have this type.
func (q *quorum) want(typ wire.Type) *wire.Packet {
	q.t.Helper()
	p := q.next()
	if p.Type != typ {
		q.t.Fatalf("%v with zxid 0x%x, want %v", p.Type, p.Zxid, typ)
	}
	return p
}

// until returns the next packet of this type and passes over the others.
func (q *quorum) until(typ wire.Type) *wire.Packet {
	q.t.Helper()
	for {
		if p := q.next(); p.Type == typ {
			return p
		}
	}
}

// check ends the connection: what came must be written again as it was.
func (q *quorum) check(version harness.ApacheVersion, who string) {
	q.t.Helper()
	q.conn.Close()
	stream := q.seen.Bytes()
	written, types, err := wiretest.Quorum(stream)
	if err != nil || !bytes.HasPrefix(stream, written) || len(types) == 0 {
		q.t.Errorf("%s: %v\n got %x\nwant %x", who, err, written, stream)
	}
	q.t.Logf("%s sent %v", who, slices.Compact(types))
	record(q.t, version, who, written)
}

// record keeps a stream for the codec's own tests.
func record(t *testing.T, version harness.ApacheVersion, who string, stream []byte) {
	t.Helper()
	if os.Getenv("QUOLL_UPDATE") != "1" || t.Failed() {
		return
	}
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(root, "internal", "peer", "wire", "testdata", fmt.Sprintf("%s-%s.bin", version, who))
	if err := os.WriteFile(name, stream, 0o644); err != nil {
		t.Fatal(err)
	}
}

// newClient opens a session while the test goes on; wait returns it.
func newClient(t *testing.T, addr string, opts ...client.Option) (wait func() *client.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	type result struct {
		c   *client.Client
		err error
	}
	done := make(chan result, 1)
	go func() {
		c, err := client.Dial(ctx, addr, opts...)
		done <- result{c, err}
	}()
	return func() *client.Client {
		t.Helper()
		defer cancel()
		r := <-done
		if r.err != nil {
			t.Fatal(r.err)
		}
		return r.c
	}
}

// background runs a request while the test goes on; wait returns its error.
func background(f func(ctx context.Context) error) (wait func() error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	return func() error {
		defer cancel()
		return <-done
	}
}
