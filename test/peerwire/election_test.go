package peerwire

import (
	"bytes"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/peer/wire/wiretest"
	"github.com/quollhq/quoll/test/harness"
)

// election is one election connection with a server.
type election struct {
	t    *testing.T
	conn net.Conn
	seen bytes.Buffer
}

func (e *election) next() wire.Notification {
	e.t.Helper()
	if err := e.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		e.t.Fatal(err)
	}
	msg, err := wire.ReadElectionFrame(e.conn, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	e.seen.Write(wire.AppendElectionFrame(nil, msg))
	n, err := wire.DecodeNotification(msg)
	if err != nil {
		e.t.Fatal(err)
	}
	return n
}

// until returns the next notification that ok is content with.
func (e *election) until(ok func(wire.Notification) bool) wire.Notification {
	e.t.Helper()
	for {
		if n := e.next(); ok(n) {
			return n
		}
	}
}

func (e *election) vote(n wire.Notification) {
	e.t.Helper()
	send(e.t, e.conn, wire.AppendElectionFrame(nil, wire.AppendNotification(nil, &n)))
}

func (e *election) check(version harness.ApacheVersion, who string, hello bool) {
	e.t.Helper()
	written, notifications, err := wiretest.Election(e.seen.Bytes(), hello)
	if err != nil || !bytes.Equal(e.seen.Bytes(), written) {
		e.t.Errorf("%s: %v\n got %x\nwant %x", who, err, written, e.seen.Bytes())
	}
	e.t.Logf("%s sent %d notifications", who, len(notifications))
	record(e.t, version, who, written)
}

// meet takes the seat sid, whose election address is listened on and which is larger than that of the server: it waits for
// the server's connection, closes it, and dials, as the rule is.
func meet(t *testing.T, ensemble *harness.Ensemble, version harness.ApacheVersion, l net.Listener, sid, server int) *election {
	t.Helper()
	conn := accept(t, l)
	hello, err := wire.ReadHello(conn)
	if err != nil {
		t.Fatal(err)
	}
	if hello.SID != int64(server) || wire.KeepsConnection(hello.SID, int64(sid)) {
		t.Fatalf("%+v from server %d to %d", hello, server, sid)
	}
	if !old(version) && (len(hello.Addresses) != 1 || hello.Addresses[0].String() != ensemble.ElectionAddr(server)) {
		t.Errorf("server %d listens on %v, it says", server, hello.Addresses)
	}
	dialled := election{t: t, conn: conn}
	dialled.seen.Write(wire.AppendHello(nil, hello))
	who := "election-dialler"
	if hello.Version == wire.HelloAddresses {
		who = "election-dialler-addresses"
	}
	dialled.check(version, who, true)
	conn.Close()
	e := &election{t: t, conn: dial(t, ensemble.ElectionAddr(server))}
	send(t, e.conn, wire.AppendHello(nil, wire.Hello{
		Version: wire.HelloOneAddress, SID: int64(sid), Addresses: []wire.Address{address(t, ensemble.ElectionAddr(sid))},
	}))
	return e
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

// A server that may have several addresses says so in another version of Hello.
func TestMultiAddress(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers; not with -short")
	}
	const version = harness.ApacheVersion("3.9.4")
	ensemble := harness.NewEnsemble(t, harness.EnsembleConfig{
		Seats: []harness.Seat{{Subject: version}, {}, {}},
		Keys:  map[string]string{"multiAddress.enabled": "true"},
	})
	l := listen(t, ensemble.ElectionAddr(3))
	ensemble.Server(1).Launch()
	if n := meet(t, ensemble, version, l, 3, 1).next(); n.Leader != 1 {
		t.Errorf("%+v", n)
	}
}

// A server that stands alone votes for itself, and for a better candidate once it hears of one, in all formats of
// notifications.
func TestElection(t *testing.T) {
	for _, version := range versions(t) {
		t.Run(string(version), func(t *testing.T) {
			ensemble := harness.NewEnsemble(t, harness.EnsembleConfig{
				Seats: []harness.Seat{{Subject: version}, {}, {}}, // one vote of two is no quorum
			})
			l := listen(t, ensemble.ElectionAddr(3))
			ensemble.Server(1).Launch()
			e := meet(t, ensemble, version, l, 3, 1)
			first := e.next()
			if first.State != wire.Looking || first.Leader != 1 || first.Zxid != 0 || first.Round != 1 {
				t.Errorf("first vote: %+v", first)
			}
			if wantVersion := wire.NotificationConfig; !old(version) && (first.Version != wantVersion || len(first.Config) == 0) {
				t.Errorf("first vote of version %d with configuration %q", first.Version, first.Config)
			}
			// Zxids are in the order of the votes, so that each is better than the one before.
			for i, n := range []wire.Notification{
				{Version: wire.NotificationPlain},
				{Version: wire.NotificationConfig, Config: first.Config},
			} {
				n.State, n.Leader, n.Zxid, n.Round = wire.Looking, 2, int64(i+1), first.Round
				if old(version) && n.Version != wire.NotificationPlain {
					continue
				}
				e.vote(n)
				e.until(func(got wire.Notification) bool { return got.Leader == n.Leader && got.Zxid == n.Zxid })
			}
			// A worse vote does not change its mind, an older round is answered with its own.
			e.vote(wire.Notification{State: wire.Looking, Leader: 3, Zxid: 0, Round: 0, Version: wire.NotificationConfig, Config: first.Config})
			if n := e.next(); n.Leader != 2 {
				t.Errorf("after a worse vote: %+v", n)
			}
			e.check(version, "election-acceptor", false)
		})
	}
}
