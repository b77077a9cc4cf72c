package link

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/peer/socket/sockettest"
	"github.com/quollhq/quoll/internal/peer/wire"
)

const (
	timeout  = 5 * time.Second
	maxQueue = 4 << 20
)

var leaderAddress = wire.Address{Host: "leader", Port: 2888}

// emptyState is a state of nothing: no sessions, no lists, no znodes.
var emptyState = jute.AppendString([]byte{0, 0, 0, 0, 0, 0, 0, 0}, "/")

// state is a Stream of a state with its signature, or of a part of it and an error.
type state struct {
	want   []byte
	err    error
	closed int
}

func (s *state) WriteTo(w io.Writer) (int64, error) {
	if s.err != nil {
		n, _ := w.Write(s.want[:3])
		return int64(n), s.err
	}
	n, err := w.Write(wire.AppendSignature(s.want[:len(s.want):len(s.want)]))
	return int64(n), err
}

func (s *state) Close() error { s.closed++; return nil }

// world is a leader and learners on one network.
type world struct {
	t        *testing.T
	net      *sockettest.Network
	listener net.Listener
	led      *end
	writes   atomic.Int64 // of learners
}

func newWorld(t *testing.T) *world { return &world{t: t, net: sockettest.New()} }

// countingConn counts writes.
type countingConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c countingConn) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

func (w *world) config(h Handler, options []func(*Config)) Config {
	cfg := Config{
		Handler: h,
		Dial: func(ctx context.Context, a wire.Address) (net.Conn, error) {
			conn, err := w.net.Dial(ctx, a)
			if err != nil {
				return nil, err
			}
			return countingConn{conn, &w.writes}, nil
		},
		Timeout: timeout, MaxPacket: 1 << 20, MaxQueue: maxQueue, SlowQueue: maxQueue / 4, Logger: slog.New(slog.DiscardHandler),
	}
	for _, option := range options {
		option(&cfg)
	}
	return cfg
}

func (w *world) leader(options ...func(*Config)) *end {
	h := &end{t: w.t}
	h.Endpoint = New(w.config(h, options))
	w.led = h
	w.listener = w.net.Listen(leaderAddress)
	served := make(chan struct{})
	go func() { h.Serve(w.listener); close(served) }()
	w.t.Cleanup(func() { h.Close(); <-served })
	return h
}

func (w *world) learner(options ...func(*Config)) *end {
	h := &end{t: w.t}
	h.Endpoint = New(w.config(h, options))
	w.t.Cleanup(h.Close)
	return h
}

// connect dials the leader and says something, which the leader has taken when it returns.
func (w *world) connect(learner *end) *Conn {
	w.t.Helper()
	c, err := learner.Dial(w.t.Context(), []wire.Address{leaderAddress})
	if err != nil {
		w.t.Fatal(err)
	}
	say(c, func(b []byte) []byte { return wire.AppendAck(b, 0) })
	synctest.Wait()
	w.led.take()
	return c
}

// raw dials the leader as a program that is no endpoint.
func (w *world) raw() net.Conn {
	w.t.Helper()
	conn, err := w.net.Dial(context.Background(), leaderAddress)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	return conn
}

func say(c *Conn, f func([]byte) []byte) {
	c.Append(1, f)
	c.Flush()
}

// end is an endpoint and its Handler, which keeps what it hears.
type end struct {
	*Endpoint
	t       testing.TB
	loading error // of Snapshot
	partly  bool  // Snapshot does not read to the end
	closed  int   // states that were given back

	mu      sync.Mutex
	conns   []*Conn
	downs   map[*Conn]error
	batches [][]Packet
	held    chan struct{} // Received waits until it is closed
	news    chan struct{} // has room for one
}

func (h *end) Up(c *Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns = append(h.conns, c)
}

func (h *end) Received(c *Conn, batch []Packet) {
	h.mu.Lock()
	held := h.held
	h.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-c.Done():
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.downs[c] != nil {
		h.t.Error("something is received after the end")
	}
	h.batches = append(h.batches, batch)
	for i := range batch {
		if p := &batch[i]; p.Type == wire.Request {
			p.Data = slices.Clip(bytes.Clone(p.Data))
		}
	}
	if h.news != nil {
		select {
		case h.news <- struct{}{}:
		default:
		}
	}
}

func (h *end) Snapshot(_ *Conn, _ int64, r io.Reader) (any, error) {
	switch {
	case h.loading != nil:
		return nil, h.loading
	case h.partly:
		_, err := r.Read(make([]byte, 1))
		return given{h}, err
	}
	return io.ReadAll(r)
}

// given is a state that may be given back.
type given struct{ to *end }

func (g given) Close() { g.to.closed++ }

func (h *end) Down(c *Conn, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.downs == nil {
		h.downs = make(map[*Conn]error)
	}
	if h.downs[c] != nil {
		h.t.Error("a connection has ended twice")
	}
	h.downs[c] = err
}

// conn is the i-th connection, of which the handler must have heard.
func (h *end) conn(i int) *Conn {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if i >= len(h.conns) {
		h.t.Fatalf("there are %d connections", len(h.conns))
	}
	return h.conns[i]
}

// take returns the batches that came so far.
func (h *end) take() [][]Packet {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.batches
	h.batches = nil
	return b
}

// one is the only packet that has come.
func (h *end) one() Packet {
	h.t.Helper()
	synctest.Wait()
	b := h.take()
	if len(b) != 1 || len(b[0]) != 1 {
		h.t.Fatalf("%+v in place of one packet", b)
	}
	return b[0][0]
}

// wait returns the packets that have come, at least one. For tests without a bubble.
func (h *end) wait() []Packet {
	for {
		var all []Packet
		for _, b := range h.take() {
			all = append(all, b...)
		}
		if len(all) > 0 {
			return all
		}
		<-h.news
	}
}

// hold makes the handler busy until the function is called.
func (h *end) hold() (release func()) {
	held := make(chan struct{})
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held = held
	return func() {
		h.mu.Lock()
		h.held = nil
		h.mu.Unlock()
		close(held)
	}
}

func (h *end) wantUp(i int) {
	h.t.Helper()
	synctest.Wait()
	if err := h.ended(i); err != nil {
		h.t.Errorf("the connection has ended: %v", err)
	}
}

// wantDown checks that the i-th connection has ended with an error; any if it is nil.
func (h *end) wantDown(i int, want error) {
	h.t.Helper()
	synctest.Wait()
	if err := h.ended(i); err == nil || want != nil && !errors.Is(err, want) {
		h.t.Errorf("the connection ended with %v, want %v", err, want)
	}
}

func (h *end) ended(i int) error {
	c := h.conn(i)
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.downs[c]
}

// overTCP connects a leader and a learner by TCP.
func overTCP(t testing.TB) (leader, learner *end) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		Dial: func(ctx context.Context, a wire.Address) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
		},
		Timeout: 10 * time.Minute, MaxPacket: 1 << 20, Logger: slog.New(slog.DiscardHandler),
	}
	ends := make([]*end, 2)
	for i := range ends {
		ends[i] = &end{t: t, news: make(chan struct{}, 1)}
		cfg.Handler = ends[i]
		ends[i].Endpoint = New(cfg)
	}
	leader, learner = ends[0], ends[1]
	served := make(chan struct{})
	go func() { leader.Serve(l); close(served) }()
	t.Cleanup(func() { learner.Close(); leader.Close(); <-served })
	c, err := learner.Dial(t.Context(), []wire.Address{leaderAddress})
	if err != nil {
		t.Fatal(err)
	}
	say(c, func(b []byte) []byte { return wire.AppendAck(b, 0) })
	leader.wait()
	return leader, learner
}
