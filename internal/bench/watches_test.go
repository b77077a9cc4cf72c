package bench

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// watchServer knows enough to be watched: exists leaves a watch, set and
// create fire those of the path, everything else succeeds.
type watchServer struct {
	mu       sync.Mutex
	watchers map[string][]net.Conn
	mute     bool // tells nobody
}

func startWatchServer(t *testing.T, mute bool) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &watchServer{watchers: make(map[string][]net.Conn), mute: mute}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { s.serve(nc) })
		}
	})
	t.Cleanup(func() { ln.Close(); conns.Wait() })
	return ln.Addr().String()
}

func (s *watchServer) serve(nc net.Conn) {
	defer nc.Close()
	r := bufio.NewReader(nc)
	if _, err := readOne(r); err != nil {
		return
	}
	resp := proto.ConnectResponse{TimeOut: 10_000, SessionID: 1, Passwd: make([]byte, 16), HasReadOnly: true}
	s.send(nc, resp.Append(nil))
	for {
		frame, err := readOne(r)
		if err != nil {
			return
		}
		d := jute.NewDecoder(frame)
		var h proto.RequestHeader
		h.Decode(&d)
		s.answer(nc, h, d.String())
		if h.Op == proto.OpCloseSession {
			return
		}
	}
}

func (s *watchServer) answer(nc net.Conn, h proto.RequestHeader, path string) {
	body := 0
	switch h.Op {
	case proto.OpExists:
		s.mu.Lock()
		s.watchers[path] = append(s.watchers[path], nc)
		s.mu.Unlock()
		body = statLen
	case proto.OpSetData:
		s.fire(path)
		body = statLen
	case proto.OpCreate:
		body = 4 + len(path)
	}
	b := proto.ReplyHeader{Xid: h.Xid}.Append(nil)
	s.send(nc, append(b, make([]byte, body)...))
}

func (s *watchServer) fire(path string) {
	s.mu.Lock()
	told := s.watchers[path]
	s.watchers[path] = nil
	s.mu.Unlock()
	if s.mute {
		return
	}
	e := proto.WatcherEvent{Type: proto.EventNodeDataChanged, State: proto.StateSyncConnected, Path: path}
	for _, nc := range told {
		s.send(nc, e.Append(proto.ReplyHeader{Xid: proto.XidNotification, Zxid: -1}.Append(nil)))
	}
}

// send writes one frame; a client that has gone is noticed by its reader.
func (s *watchServer) send(nc net.Conn, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = nc.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
}

func readOne(r io.Reader) ([]byte, error) {
	var l [4]byte
	if _, err := io.ReadFull(r, l[:]); err != nil {
		return nil, err
	}
	b := make([]byte, min(binary.BigEndian.Uint32(l[:]), 1<<20))
	_, err := io.ReadFull(r, b)
	return b, err
}

func TestWatchWorkload(t *testing.T) {
	addr := startWatchServer(t, false)
	for _, driver := range drivers() {
		o := testOptions(addr)
		o.Driver, o.Connections, o.Keys, o.Lanes = driver, 7, 30, 2
		res, err := (&Runner{Options: o}).Run(t.Context(), "watch")
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []Phase{{Name: "watch", Count: 210}, {Name: "tell one", Count: 7}, {Name: "tell all", Count: 203}} {
			if got := res.Phases[i]; got.Name != want.Name || got.Count != want.Count || got.Seconds <= 0 {
				t.Errorf("%s: phase %+v, want %s of %d", driver, got, want.Name, want.Count)
			}
		}
		if l := res.Latency["event"]; l.Count != 7 || l.Max <= 0 {
			t.Errorf("%s: events %+v", driver, l)
		}
	}
}

// Events that do not come are an error, after a while.
func TestMissingEventsAreAnError(t *testing.T) {
	o := testOptions(startWatchServer(t, true))
	o.Connections, o.Keys, o.Patience = 3, 1, 1
	_, err := (&Runner{Options: o}).Run(t.Context(), "watch")
	if err == nil || !strings.Contains(err.Error(), "3 of 3 watch events did not come") {
		t.Errorf("error %v", err)
	}
}
