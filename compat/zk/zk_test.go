package zk

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"net"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/proto"
)

func quiet() connOption { return WithLogger(log.New(io.Discard, "", 0)) }

// nobody is an address that refuses connections.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestNoServer(t *testing.T) {
	seen := make(chan Event, 100)
	c, events, err := Connect([]string{nobody(t), nobody(t)}, time.Second, quiet(), WithEventCallback(func(ev Event) { seen <- ev }))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Get("/a"); err != ErrNoServer {
		t.Errorf("get: %v", err)
	}
	if _, err := c.CreateProtectedEphemeralSequential("/a/b-", nil, WorldACL(PermAll)); err != ErrNoServer {
		t.Errorf("create: %v", err)
	}
	if ev := <-seen; ev.Type != EventSession || ev.State != StateConnecting || ev.Server == "" {
		t.Errorf("first event %+v", ev)
	}
	c.Close()
	c.Close()
	if _, _, err := c.Get("/a"); err != ErrConnectionClosed {
		t.Errorf("get after close: %v", err)
	}
	var last Event
	for ev := range events {
		last = ev
	}
	if last.State == StateConnected || c.State() != StateDisconnected {
		t.Errorf("last event %+v, state %v", last, c.State())
	}
}

// What never leaves: no server is needed to refuse it.
func TestRefusedAtOnce(t *testing.T) {
	c, _, err := Connect([]string{nobody(t)}, time.Second, quiet(), WithMaxConnBufferSize(100))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, invalid := c.Create("no/slash", nil, 0, nil)
	_, flags := c.Create("/a", nil, FlagTTL, nil)
	_, large := c.Create("/a", make([]byte, 100), 0, nil)
	_, ttl := c.CreateTTL("/a", nil, FlagTTL, nil, 0)
	_, unknown := c.Multi(1)
	for what, tc := range map[string]struct{ got, want error }{
		"invalid path": {invalid, ErrInvalidPath},
		"ttl":          {flags, ErrInvalidFlags},
		"large":        {large, ErrShortBuffer},
		"no ttl":       {ttl, ErrBadArguments},
		"unlocked":     {NewLock(c, "/l", nil).Unlock(), ErrNotLocked},
	} {
		if !errors.Is(tc.got, tc.want) {
			t.Errorf("%s: %v, want %v", what, tc.got, tc.want)
		}
	}
	if unknown == nil || unknown.Error() != "unknown operation type int" {
		t.Errorf("unknown operation: %v", unknown)
	}
	responses, err := c.Multi(&DeleteRequest{"/a", 0}, &DeleteRequest{"/a/", 0}, &CheckVersionRequest{"/b", 0})
	if err != ErrBadArguments || len(responses) != 3 || responses[0].Error != nil || responses[1].Error != ErrBadArguments || responses[2].Error == nil {
		t.Errorf("multi: %v, %+v", err, responses)
	}
}

// Names are resolved anew when all addresses have been tried.
func TestMovedServers(t *testing.T) {
	addrs := []string{"192.0.2.1", "192.0.2.2"}
	hp := NewDNSHostProvider()
	hp.lookupHost = func(context.Context, string) ([]string, error) { return addrs, nil }
	if err := hp.Init([]string{"zk.example.com:2181"}); err != nil {
		t.Fatal(err)
	}
	for i, restart := range []bool{false, false, true} {
		if _, r := hp.Next(); r != restart {
			t.Errorf("attempt %d: %v", i, r)
		}
	}
	addrs = []string{"192.0.2.3"}
	hp.Next()
	if server, restart := hp.Next(); server != "192.0.2.3:2181" || !restart || hp.Len() != 1 {
		t.Errorf("next is %s, %v", server, restart)
	}
	hp.lookupHost = func(context.Context, string) ([]string, error) { return nil, errors.New("no resolver") }
	if server, restart := hp.Next(); server != "192.0.2.3:2181" || !restart {
		t.Errorf("next is %s, %v", server, restart)
	}
}

// Who asks once the session is known to have ended waits for the next one,
// however soon that is: no round of attempts has failed it.
func TestAskedAfterExpiry(t *testing.T) {
	dials := make(chan net.Conn, 16)
	dialer := func(string, string, time.Duration) (net.Conn, error) {
		mine, theirs := net.Pipe()
		dials <- theirs
		return mine, nil
	}
	var (
		c     *Conn
		asked context.Context
	)
	opened := make(chan error, 1)
	callback := func(ev Event) {
		switch {
		case ev.State == StateExpired:
			asked = c.ctx()
		case ev.State == StateHasSession && asked != nil:
			opened <- asked.Err()
		}
	}
	c, _, err := Connect([]string{"127.0.0.1:1"}, 10*time.Second, quiet(), WithDialer(dialer), WithEventCallback(callback))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	greet(t, <-dials, 1, 10_000).Close()
	greet(t, <-dials, 0, 0).Close() // the session has expired
	defer greet(t, <-dials, 2, 10_000).Close()
	if err := <-opened; err != nil {
		t.Errorf("a request made after the session expired ends with %v", err)
	}
}

// greet is a server's side of opening a session; a timeout of 0 refuses it.
func greet(t *testing.T, conn net.Conn, session int64, timeout int32) net.Conn {
	t.Helper()
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(size[:]))); err != nil {
		t.Fatal(err)
	}
	resp := proto.ConnectResponse{TimeOut: timeout, SessionID: session, Passwd: make([]byte, proto.PasswordLen)}
	frame := resp.Append(make([]byte, 4))
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	if _, err := conn.Write(frame); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestSrvrSince36(t *testing.T) {
	s := parseSrvr("Zookeeper version: 3.9.4-7246445, built on 2025-08-19 19:53 UTC\nLatency min/avg/max: 0/0.5/7\n" +
		"Received: 12\nSent: 11\nConnections: 1\nOutstanding: 0\nZxid: 0x100000002\nMode: follower\nNode count: 5\n")
	if s.Error != nil || s.Version != "3.9.4-7246445" || s.BuildTime.Year() != 2025 || s.AvgLatency != 0.5 || s.MaxLatency != 7 ||
		s.Epoch != 1 || s.Counter != 2 || s.Mode != ModeFollower || s.NodeCount != 5 {
		t.Errorf("%+v", s)
	}
	if s := parseSrvr("This ZooKeeper instance is not currently serving requests\n"); !errors.Is(s.Error, errUnparsed) {
		t.Errorf("%+v", s)
	}
}

// What servers answer comes from a network: nothing in it may do harm.
func FuzzFourLetterWords(f *testing.F) {
	f.Add("Zxid: 0xffffffffffffffffff\nLatency min/avg/max: //\n")
	f.Add("/1.2.3.4:5[1](queued=0,recved=1,sid=0x94c2989e04716b5,lop=PING)")
	f.Fuzz(func(t *testing.T, answer string) {
		if s := parseSrvr(answer); s == nil {
			t.Error("nothing")
		}
		if s, err := parseCons(answer); (s == nil) == (err == nil) {
			t.Errorf("%v, %v", s, err)
		}
	})
}
