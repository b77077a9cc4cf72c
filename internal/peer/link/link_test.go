package link

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/peer/wire"
)

// What one side sends arrives on the other, whichever of the leader's addresses answers.
func TestExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		leader, learner := w.leader(), w.learner()
		dark, gone := wire.Address{Host: "dark", Port: 1}, wire.Address{Host: "gone", Port: 1}
		w.net.SetCut(dark, true)
		c, err := learner.Dial(t.Context(), []wire.Address{dark, gone, leaderAddress})
		if err != nil {
			t.Fatal(err)
		}
		info := wire.LearnerInfo{SID: 3, Version: wire.ProtocolVersion}
		say(c, func(b []byte) []byte { return wire.AppendLearnerInfo(b, info) })
		got := leader.one()
		if v, err := wire.DecodeLearnerInfo(&got.Packet); err != nil || v != info {
			t.Errorf("%+v, %v", v, err)
		}
		accepted := leader.conn(0)
		say(accepted, func(b []byte) []byte { return wire.AppendLeaderInfo(b, 7) })
		got = learner.one()
		if epoch, _, err := wire.DecodeLeaderInfo(&got.Packet); err != nil || epoch != 7 {
			t.Errorf("epoch %d, %v", epoch, err)
		}
		if accepted.Dialled() || !c.Dialled() || accepted.ID() == 0 {
			t.Errorf("%+v, %+v", accepted, c)
		}
		c.Close()
		leader.wantDown(0, io.EOF)
		learner.wantDown(0, ErrClosed)
		again := w.connect(learner)
		if again.ID() == c.ID() {
			t.Error("a number is used twice")
		}
	})
}

// A leader that cannot be reached is an error, at once or when the time is over.
func TestDialFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		learner := w.learner()
		if _, err := learner.Dial(t.Context(), nil); err == nil {
			t.Error("dialled nobody")
		}
		if _, err := learner.Dial(t.Context(), []wire.Address{leaderAddress}); err == nil {
			t.Error("dialled an address that nobody listens at")
		}
		w.net.SetCut(leaderAddress, true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := learner.Dial(ctx, []wire.Address{leaderAddress}); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if len(learner.conns) != 0 {
			t.Error("the handler heard of a connection")
		}
	})
}

// All that is queued leaves with one write, and arrives as one batch, whose memory is not used again.
func TestBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		leader, learner := w.leader(), w.learner()
		c := w.connect(learner)
		writes := w.writes.Load()
		var all []Packet
		for round := range 3 {
			for i := range 200 {
				c.Append(1, func(b []byte) []byte {
					return wire.AppendPacket(b, &wire.Packet{Type: []wire.Type{wire.Request, wire.Revalidate}[i%2], Zxid: int64(i), Data: fmt.Appendf(nil, "%d in %d", i, round),
						Auth: []wire.Identity{{Scheme: "auth", ID: fmt.Sprint(i, round)}}})
				})
			}
			synctest.Wait()
			if len(leader.take()) != 0 {
				t.Fatal("it was sent before it was flushed")
			}
			c.Flush()
			synctest.Wait()
			batches := leader.take()
			if len(batches) != 1 || len(batches[0]) != 200 {
				t.Fatalf("%d batches", len(batches))
			}
			all = append(all, batches[0]...)
		}
		if n := w.writes.Load() - writes; n != 3 {
			t.Errorf("%d writes", n)
		}
		for i, p := range all {
			data, id := fmt.Sprintf("%d in %d", i%200, i/200), fmt.Sprint(i%200, i/200)
			if string(p.Data) != data || len(p.Auth) != 1 || p.Auth[0].ID != id {
				t.Fatalf("packet %d is %+v", i, p)
			}
			if cap(p.Data) != len(p.Data) {
				t.Fatalf("packet %d reaches into the next", i)
			}
		}
	})
}

// What commits or acknowledges transactions in a row arrives as one packet; the word for an epoch does not.
func TestRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		leader, learner := w.leader(), w.learner()
		c := w.connect(learner)
		for _, z := range []int64{1 << 32, 1<<32 + 1, 1<<32 + 2, 1<<32 + 3, 1<<32 + 5, 2 << 32, 2<<32 + 1} {
			c.Append(1, func(b []byte) []byte { return wire.AppendAck(b, z) })
		}
		c.Append(1, func(b []byte) []byte { return wire.AppendCommit(b, 2<<32+2) })
		c.Flush()
		synctest.Wait()
		var got []string
		for _, b := range leader.take() {
			for _, p := range b {
				got = append(got, fmt.Sprintf("%v %x+%d", p.Type, p.Zxid, p.Run))
			}
		}
		want := []string{"ACK 100000000+0", "ACK 100000003+2", "ACK 100000005+0", "ACK 200000000+0", "ACK 200000001+0", "COMMIT 200000002+0"}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// A batch has an end, and what is null stays null.
func TestBatchIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		leader, learner := w.leader(), w.learner()
		c := w.connect(learner)
		for i := range 3 * batchPackets {
			c.Append(1, func(b []byte) []byte { return wire.AppendAck(b, 2*int64(i)) })
		}
		big := bytes.Repeat([]byte{1}, batchBytes/2)
		for range 6 {
			c.Append(1, func(b []byte) []byte { return wire.AppendProposal(b, -1, big) })
		}
		c.Flush()
		synctest.Wait()
		n := 0
		for _, b := range leader.take() {
			size := 0
			for _, p := range b {
				size += len(p.Data)
				if p.Type == wire.Ack && (p.Zxid != 2*int64(n) || p.Data != nil || p.Auth != nil) {
					t.Fatalf("%+v in place of acknowledgement %d", p, n)
				}
				n++
			}
			if len(b) > batchPackets || size > batchBytes {
				t.Errorf("a batch of %d packets, %d bytes", len(b), size)
			}
		}
		if n != 3*batchPackets+6 {
			t.Errorf("%d packets", n)
		}
	})
}

// Nothing more is read while the owner is busy, so that who sends has to wait.
func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		leader, learner := w.leader(), w.learner()
		c := w.connect(learner)
		busy := leader.hold()
		data := make([]byte, 32<<10)
		for range 64 {
			say(c, func(b []byte) []byte { return wire.AppendProposal(b, 1, data) })
		}
		synctest.Wait()
		if n := c.Queued(); n < 1<<20 {
			t.Errorf("only %d bytes wait", n)
		}
		busy()
		synctest.Wait()
		if n := c.Queued(); n != 0 {
			t.Errorf("%d bytes wait", n)
		}
		n := 0
		for _, b := range leader.take() {
			n += len(b)
		}
		if n != 64 {
			t.Errorf("%d packets", n)
		}
	})
}

// A state is streamed between the packets before and behind it.
func TestSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		leader, learner := w.leader(), w.learner()
		w.connect(learner)
		c := leader.conn(0)
		c.Append(1, func(b []byte) []byte { return wire.AppendSnap(b, 9) })
		s := &state{want: emptyState}
		c.Stream(s)
		say(c, func(b []byte) []byte { return wire.AppendNewLeader(b, 7, []byte("config")) })
		synctest.Wait()
		batches := learner.take()
		if len(batches) != 2 || len(batches[0]) != 1 || len(batches[1]) != 1 {
			t.Fatalf("%+v", batches)
		}
		if p := batches[0][0]; p.Type != wire.Snap || p.Zxid != 9 || string(p.Snapshot.([]byte)) != string(emptyState) {
			t.Errorf("%+v", p)
		}
		if p := batches[1][0]; p.Type != wire.NewLeader || p.Snapshot != nil {
			t.Errorf("%+v", p)
		}
		if s.closed != 1 {
			t.Errorf("the stream was closed %d times", s.closed)
		}
	})
}

// A state that cannot be had, or is in the wrong place, ends the connection.
func TestSnapshotFails(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		stream  *state
		loading error
		partly  bool
		leader  error // with which it ends there; nil for any
		learner error
	}{
		"reading":  {stream: &state{want: emptyState}, loading: boom, learner: boom},
		"writing":  {stream: &state{want: emptyState, err: boom}, leader: boom, learner: io.ErrUnexpectedEOF},
		"partly":   {stream: &state{want: emptyState}, partly: true},
		"no state": {stream: &state{want: []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}}, learner: jute.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				leader, learner := w.leader(), w.learner()
				learner.loading, learner.partly = c.loading, c.partly
				w.connect(learner)
				conn := leader.conn(0)
				conn.Append(1, func(b []byte) []byte { return wire.AppendSnap(b, 9) })
				conn.Stream(c.stream)
				learner.wantDown(0, c.learner)
				leader.wantDown(0, c.leader)
				if c.stream.closed != 1 {
					t.Errorf("the stream was closed %d times", c.stream.closed)
				}
				if c.partly != (learner.closed == 1) {
					t.Errorf("%d states were given back", learner.closed)
				}
				for _, b := range learner.take() {
					for _, p := range b {
						if p.Type == wire.Snap {
							t.Errorf("the owner got %+v", p)
						}
					}
				}
			})
		})
	}
	t.Run("to the leader", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			leader, learner := w.leader(), w.learner()
			c := w.connect(learner)
			say(c, func(b []byte) []byte { return wire.AppendSnap(b, 9) })
			leader.wantDown(0, ErrSnapshot)
		})
	})
}

func TestMalformed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		leader, learner := w.leader(), w.learner()
		c := w.connect(learner)
		c.Append(1, func(b []byte) []byte { return wire.AppendAck(b, 5) })
		say(c, func(b []byte) []byte { return append(b, "\x00\x00\x00\x03........\x7f......."...) })
		leader.wantDown(0, jute.ErrMalformed)
		if b := leader.take(); len(b) != 1 || len(b[0]) != 1 || b[0][0].Zxid != 5 {
			t.Errorf("before it came %+v", b)
		}
	})
}

// A connection may be silent for as long as it was told.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		leader, learner := w.leader(), w.learner()
		c := w.connect(learner)
		c.SetTimeout(0)
		leader.conn(0).SetTimeout(time.Minute)
		for range 3 { // counts from what is heard
			say(c, func(b []byte) []byte { return wire.AppendAck(b, 5) })
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		leader.wantUp(0)
		time.Sleep(time.Minute)
		leader.wantDown(0, ErrSilent)
	})
}

// Who says nothing at all is no learner.
func TestStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		leader := w.leader()
		conn := w.raw()
		time.Sleep(timeout)
		synctest.Wait()
		if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
			t.Error(err)
		}
		if len(leader.conns) != 0 {
			t.Error("the handler heard of it")
		}
	})
}

// Who takes nothing is dropped when too much waits for it, with all that waits.
func TestSlowLearnerIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		leader, learner := w.leader(), w.learner()
		w.connect(learner)
		learner.hold()
		c := leader.conn(0)
		data := make([]byte, 32<<10)
		s := &state{want: emptyState}
		for i := 0; c.ctx.Err() == nil; i++ {
			say(c, func(b []byte) []byte { return wire.AppendProposal(b, 1, data) })
			if i == 10 {
				c.Stream(s)
			}
			if c.Queued() > maxQueue+64<<10 {
				t.Fatalf("%d bytes wait", c.Queued())
			}
		}
		leader.wantDown(0, ErrSlow)
		if s.closed != 1 {
			t.Error("the stream was not closed")
		}
		c.Stream(s)
		if s.closed != 2 {
			t.Error("a late stream was not closed")
		}
	})
}

// Who makes work waits for a learner that is slow, and not for one that has stopped.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		leader, learner := w.leader(), w.learner()
		w.connect(learner)
		release := learner.hold()
		c := leader.conn(0)
		if err := leader.Pace(t.Context()); err != nil {
			t.Fatal(err)
		}
		data := make([]byte, 32<<10)
		for c.Queued() < maxQueue/2 {
			say(c, func(b []byte) []byte { return wire.AppendProposal(b, 1, data) })
		}
		synctest.Wait()
		before := time.Now()
		if err := leader.Pace(t.Context()); err != nil || time.Since(before) > 2*stalled {
			t.Errorf("after %v: %v", time.Since(before), err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		c.moved.Store(time.Now().UnixNano())
		if err := leader.Pace(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		c.moved.Store(time.Now().UnixNano())
		paced := make(chan error, 1)
		go func() { paced <- leader.Pace(t.Context()) }()
		synctest.Wait()
		select {
		case <-paced:
			t.Error("nobody waited")
		default:
		}
		release()
		synctest.Wait()
		if err := <-paced; err != nil {
			t.Error(err)
		}
	})
}

// What was queued before Finish arrives, and then the connection ends.
func TestFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		leader, learner := w.leader(), w.learner()
		w.connect(learner)
		c := leader.conn(0)
		for i := range 1000 {
			c.Append(1, func(b []byte) []byte { return wire.AppendCommit(b, 2*int64(i)) })
		}
		c.Finish()
		c.Append(1, func(b []byte) []byte { return wire.AppendCommit(b, 1000) })
		leader.wantDown(0, ErrClosed)
		learner.wantDown(0, io.EOF)
		n := 0
		for _, b := range learner.take() {
			n += len(b)
		}
		if n != 1000 {
			t.Errorf("%d packets", n)
		}
		// One that takes nothing is not waited for longer than the timeout.
		w.connect(learner)
		learner.hold()
		c = leader.conn(1)
		for range 100 {
			say(c, func(b []byte) []byte { return wire.AppendProposal(b, 1, make([]byte, 32<<10)) })
		}
		c.Finish()
		time.Sleep(timeout)
		leader.wantDown(1, nil)
	})
}

// Close comes back whatever is under way, and after it nothing happens.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		leader, learner := w.leader(), w.learner()
		c := w.connect(learner)
		w.raw() // says nothing
		leader.hold()
		for range 100 {
			say(c, func(b []byte) []byte { return wire.AppendProposal(b, 1, make([]byte, 32<<10)) })
		}
		dark := wire.Address{Host: "dark", Port: 1}
		w.net.SetCut(dark, true)
		dialled := make(chan error, 1)
		go func() {
			_, err := learner.Dial(t.Context(), []wire.Address{dark})
			dialled <- err
		}()
		synctest.Wait()
		learner.Close()
		leader.Close()
		if err := <-dialled; err == nil {
			t.Error("dialled")
		}
		learner.wantDown(0, ErrClosed)
		if _, err := learner.Dial(t.Context(), []wire.Address{leaderAddress}); err == nil {
			t.Error("dialled with an endpoint that is closed")
		}
		if err := leader.Pace(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A leader that stops listening keeps the learners that it has.
func TestStopListening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		leader, learner := w.leader(), w.learner()
		c := w.connect(learner)
		w.listener.Close()
		synctest.Wait()
		say(c, func(b []byte) []byte { return wire.AppendAck(b, 1) })
		leader.one()
		if _, err := learner.Dial(t.Context(), []wire.Address{leaderAddress}); err == nil {
			t.Error("somebody listens")
		}
	})
}

// password is an Authenticator of one word in each direction.
type password string

func (p password) say(conn net.Conn) error {
	_, err := conn.Write(wire.AppendAuthPacket(nil, wire.AuthPacket{Token: []byte(p)}))
	return err
}

func (p password) hear(r *bufio.Reader) error {
	got, err := wire.ReadAuthPacket(r)
	if err == nil && string(got.Token) != string(p) {
		err = errors.New("wrong password")
	}
	return err
}

func (p password) Dialled(_ context.Context, conn net.Conn, r *bufio.Reader, _ string) error {
	if err := p.say(conn); err != nil {
		return err
	}
	return p.hear(r)
}

func (p password) Accepted(_ context.Context, conn net.Conn, r *bufio.Reader) error {
	if err := p.hear(r); err != nil {
		return err
	}
	return p.say(conn)
}

func TestAuthentication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		with := func(word password) func(*Config) { return func(c *Config) { c.Authenticator = word } }
		leader, learner, other := w.leader(with("word")), w.learner(with("word")), w.learner(with("other"))
		c := w.connect(learner)
		say(c, func(b []byte) []byte { return wire.AppendAck(b, 1) })
		leader.one()
		if _, err := other.Dial(t.Context(), []wire.Address{leaderAddress}); err == nil {
			t.Error("the wrong password was taken")
		}
		w.raw()
		time.Sleep(timeout)
		synctest.Wait()
		if len(leader.conns) != 1 || len(other.conns) != 0 {
			t.Error("the handler heard of it")
		}
	})
}

// Packets of many sizes, streams and flushes at random arrive in their order, in both directions at once.
func TestOrderOverTCP(t *testing.T) {
	leader, learner := overTCP(t)
	const n = 700
	sent := func(c *Conn) {
		if err := c.conn.(*net.TCPConn).SetWriteBuffer(4 << 10); err != nil { // so that a socket often takes a part
			t.Error(err)
		}
		for i := range n {
			c.Append(1, func(b []byte) []byte {
				return wire.AppendProposal(b, int64(i), bytes.Repeat([]byte{byte(i)}, i*i%9000))
			})
			switch i % 7 {
			case 0:
				c.Flush()
			case 3:
				c.WriteNow()
			}
			if i%301 == 0 && !c.Dialled() {
				c.Append(1, func(b []byte) []byte { return wire.AppendSnap(b, int64(i)) })
				c.Stream(&state{want: emptyState})
			}
		}
		c.WriteNow()
	}
	here, there := learner.conn(0), leader.conn(0)
	go sent(here)
	go sent(there)
	for _, end := range []*end{leader, learner} {
		next := 0
		for next < n {
			for _, p := range end.wait() {
				if p.Type == wire.Snap {
					if p.Snapshot == nil {
						t.Fatal("no state")
					}
					continue
				}
				if p.Zxid != int64(next) || !slices.Equal(p.Data, bytes.Repeat([]byte{byte(next)}, next*next%9000)) {
					t.Fatalf("packet %d has %d bytes, want packet %d", p.Zxid, len(p.Data), next)
				}
				next++
			}
		}
	}
}
