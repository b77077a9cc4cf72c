package mesh

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quollhq/quoll/internal/peer/wire"
)

// Connected tells whether there is a connection with a member.
func (m *Mesh) Connected(sid int64) bool {
	ok, _ := m.Reached(sid)
	return ok
}

// Whoever speaks first, both directions work.
func TestSend(t *testing.T) {
	for _, first := range []int64{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			members := map[int64]*member{1: n.start(1), 2: n.start(2)}
			second := 3 - first
			members[first].Send(second, []byte("question"))
			members[second].want(first, "question")
			members[second].Send(first, []byte("answer"))
			members[first].want(second, "answer")
			if !members[1].Connected(2) || !members[2].Connected(1) || members[1].Connected(3) {
				t.Error("connected")
			}
			members[1].stop()
			members[2].stop()
		})
	}
}

func TestSendToSelf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newNetwork(t).start(1)
		m.Send(1, []byte("vote"))
		m.want(1, "vote")
		m.stop()
	})
}

// While there is no connection the newest message takes the place of the others.
func TestNewestMessageCounts(t *testing.T) {
	for _, sender := range []int64{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			m := n.start(sender)
			for _, msg := range []string{"a", "b", "c"} {
				m.Send(3-sender, []byte(msg))
				synctest.Wait()
			}
			if m.Delivered() {
				t.Error("delivered to nobody")
			}
			other := n.start(3 - sender)
			other.wantNothing()
			m.ConnectAll()
			other.want(sender, "c")
			if !m.Delivered() {
				t.Error("not delivered")
			}
			m.stop()
			other.stop()
		})
	}
}

// What was sent last is sent again over a new connection, and nothing else.
func TestLastMessageIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		small, large := n.start(1), n.start(2)
		large.Send(1, []byte("before"))
		small.want(2, "before")
		large.Send(1, []byte("last"))
		small.want(2, "last")
		small.stop()
		synctest.Wait()
		if large.Connected(1) {
			t.Error("connected with a member that is gone")
		}
		small = n.start(1)
		small.Send(2, []byte("here again"))
		small.want(2, "last")
		large.want(1, "here again")
		small.stop()
		large.stop()
	})
}

// A member that dials although the other side believes that there is a connection has lost it.
func TestStaleConnectionIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		large := n.start(2)
		// The smaller member is a program that keeps silent.
		l := n.Listen(addressOf(1))
		large.Send(1, []byte("vote"))
		stale, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		expectVote(t, stale, "vote")

		again := n.raw(2)
		if _, err := again.Write(wire.AppendHello(nil, wire.Hello{Version: wire.HelloOneAddress, SID: 1, Addresses: []wire.Address{addressOf(1)}})); err != nil {
			t.Fatal(err)
		}
		fresh, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		expectVote(t, fresh, "vote")
		wantClosed(t, stale)
		wantClosed(t, again)
		fresh.Close()
		large.stop()
	})
}

// expectVote reads what a mesh says on a connection that it has dialled.
func expectVote(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	hello, err := wire.ReadHello(conn)
	if err != nil || hello.SID != 2 || len(hello.Addresses) != 1 || hello.Addresses[0] != addressOf(2) {
		t.Errorf("%+v, %v", hello, err)
	}
	if msg, err := wire.ReadElectionFrame(conn, nil); err != nil || string(msg) != want {
		t.Errorf("%q, %v; want %q", msg, err, want)
	}
}

func TestRefused(t *testing.T) {
	for name, first := range map[string][]byte{
		"own number": wire.AppendHello(nil, wire.Hello{SID: 2}),
		"no hello":   {0xff, 0, 0, 0, 0, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t)
				m := n.start(2)
				conn := n.raw(2)
				if _, err := conn.Write(first); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				wantClosed(t, conn)
				m.stop()
			})
		})
	}
}

// A frame that cannot be ends the connection, and only that.
func TestBadFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		m := n.start(2)
		conn := n.raw(2)
		if _, err := conn.Write(wire.AppendHello(nil, wire.Hello{SID: 3})); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !m.Connected(3) {
			t.Fatal("not connected")
		}
		if _, err := conn.Write([]byte{0x7f, 0, 0, 0}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		wantClosed(t, conn)
		if m.Connected(3) {
			t.Error("still connected")
		}
		m.stop()
	})
}

// Who says nothing, and who takes nothing, is not waited for longer than the timeout.
func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		m := n.start(2)
		silent := n.raw(2)
		time.Sleep(timeout)
		synctest.Wait()
		wantClosed(t, silent)

		deaf := n.raw(2)
		if _, err := deaf.Write(wire.AppendHello(nil, wire.Hello{SID: 3})); err != nil {
			t.Fatal(err)
		}
		m.Send(3, []byte("vote"))
		time.Sleep(timeout)
		synctest.Wait()
		if m.Connected(3) {
			t.Error("a member that reads nothing keeps its connection")
		}
		m.stop()
	})
}

// Close comes back whatever is under way.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		m, other := n.start(2), n.start(1)
		m.Send(1, []byte("vote"))
		synctest.Wait()
		n.SetCut(addressOf(3), true)
		m.Send(3, []byte("nobody answers"))
		silent := n.raw(2)
		synctest.Wait()
		m.stop()
		wantClosed(t, silent)
		m.Send(1, []byte("too late"))
		m.ConnectAll()
		other.stop()
	})
}

// If nobody receives, the newest messages are kept.
func TestReceiveDropsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newNetwork(t).start(1)
		for i := range 3 * receiveRoom {
			m.Send(1, []byte(fmt.Sprint(i)))
		}
		for i := 2 * receiveRoom; i < 3*receiveRoom; i++ {
			if got := string((<-m.Received()).Payload); got != fmt.Sprint(i) {
				t.Fatalf("%s in place of %d", got, i)
			}
		}
		m.stop()
	})
}

// A joiner is in nobody's configuration: it is called back where it says that it is.
func TestStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		m := n.start(5)
		joiner := n.start(0)
		joiner.Send(5, []byte("let me in"))
		m.want(0, "let me in")
		m.Send(0, []byte("come"))
		joiner.want(5, "come")
		large := n.start(12)
		large.Send(5, []byte("me too"))
		m.want(12, "me too")
		joiner.stop()
		large.stop()
		synctest.Wait()
		if m.known() != 0 {
			t.Errorf("%d strangers are remembered", m.known())
		}
		for sid := range int64(2 * maxStrangers) {
			conn := n.raw(5)
			if _, err := conn.Write(wire.AppendHello(nil, wire.Hello{SID: 100 + sid})); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if m.known() != maxStrangers {
			t.Errorf("%d strangers have a connection, want %d", m.known(), maxStrangers)
		}
		m.stop()
	})
}

func (m *Mesh) known() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.peers)
}

// Observers without a number are called back, too, and told from each other.
func TestAnonymous(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		m := n.start(5)
		for i, want := range []int64{-1, -2} {
			host := wire.Address{Host: fmt.Sprint("observer", i), Port: 1}
			l := n.Listen(host)
			conn := n.raw(5)
			if _, err := conn.Write(wire.AppendHello(nil, wire.Hello{Version: wire.HelloOneAddress, SID: wire.AnonymousSID, Addresses: []wire.Address{host}})); err != nil {
				t.Fatal(err)
			}
			back, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if hello, err := wire.ReadHello(back); err != nil || hello.SID != 5 {
				t.Errorf("%+v, %v", hello, err)
			}
			if _, err := back.Write(wire.AppendElectionFrame(nil, []byte("who leads?"))); err != nil {
				t.Fatal(err)
			}
			m.want(want, "who leads?")
		}
		m.stop()
	})
}

// An address that nothing answers at does not hold the others up.
func TestSeveralAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		dark := wire.Address{Host: "dark", Port: 1}
		n.SetCut(dark, true)
		m := n.start(2, func(c *Config) {
			c.MultiAddress = true
			c.Lookup = func(int64) []wire.Address { return []wire.Address{dark, {Host: "closed", Port: 1}, addressOf(1)} }
		})
		other := n.start(1)
		before := time.Now()
		m.Send(1, []byte("vote"))
		other.want(2, "vote")
		if waited := time.Since(before); waited != 0 {
			t.Errorf("after %v", waited)
		}
		m.stop()
		other.stop()
	})
}

// Who dials is called back where it says that it is, though another server has its number: that one keeps out of it. Only
// if nothing is there soon the configuration is asked.
func TestCalledBackWhereItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		said := wire.Address{Host: "said", Port: 1}
		var atSaid, atConfigured atomic.Int64
		for address, calls := range map[wire.Address]*atomic.Int64{said: &atSaid, addressOf(1): &atConfigured} {
			l := n.Listen(address)
			defer l.Close()
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					calls.Add(1)
					_, _ = wire.ReadHello(conn)
				}
			}()
		}
		m := n.start(2)
		hello := func() {
			if _, err := n.raw(2).Write(wire.AppendHello(nil, wire.Hello{Version: wire.HelloOneAddress, SID: 1, Addresses: []wire.Address{said}})); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		for range 20 {
			hello()
		}
		if atSaid.Load() != 20 || atConfigured.Load() != 0 {
			t.Errorf("%d calls where it says, %d where the configuration says", atSaid.Load(), atConfigured.Load())
		}
		n.SetCut(said, true)
		hello()
		time.Sleep(headStart)
		synctest.Wait()
		if atConfigured.Load() != 1 || !m.Connected(1) {
			t.Error("not called where the configuration says")
		}
		m.stop()
	})
}

// Two servers with one number and one address are told of, once per three attempts of the second one. A member that has
// lost its connections dials again, too.
func TestTwinWithOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		var log bytes.Buffer // written with Mesh.mu held
		m := n.start(2, func(c *Config) {
			c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		})
		first := n.start(1)
		first.Send(2, []byte("vote"))
		m.want(1, "vote")
		again := func(after time.Duration) {
			time.Sleep(after)
			if _, err := n.raw(2).Write(wire.AppendHello(nil, wire.Hello{Version: wire.HelloOneAddress, SID: 1, Addresses: []wire.Address{addressOf(1)}})); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if !first.Connected(2) || !m.Connected(1) {
				t.Fatal("not connected")
			}
		}
		told := func(times int) {
			t.Helper()
			if got := strings.Count(log.String(), "perhaps two servers run as one member"); got != times {
				t.Errorf("told %d times, not %d:\n%s", got, times, &log)
			}
		}
		again(stands)
		again(stands)
		for range 10 {
			again(0) // as at a start
		}
		told(0)
		again(stands)
		told(1)
		again(time.Minute)
		again(time.Minute)
		told(1)
		again(time.Minute)
		told(2)
		for range 5 {
			again(againWithin + 1) // connections that break when they are idle
		}
		told(2)
		again(stands)
		first.stop()
		synctest.Wait()
		first = n.start(1)
		first.Send(2, []byte("back"))
		again(stands)
		again(stands)
		told(2)
		first.stop()
		m.stop()
	})
}

func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		m, other := n.start(2), n.start(1)
		m.Send(1, []byte("vote"))
		other.want(2, "vote")
		m.Forget(1)
		synctest.Wait()
		if m.Connected(1) || other.Connected(2) || m.known() != 0 {
			t.Error("not forgotten")
		}
		m.stop()
		other.stop()
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
		n := newNetwork(t)
		with := func(word password) func(*Config) { return func(c *Config) { c.Authenticator = word } }
		a, b, c := n.start(1, with("word")), n.start(2, with("word")), n.start(3, with("other"))
		a.Send(2, []byte("vote"))
		b.want(1, "vote")
		c.Send(2, []byte("vote"))
		c.Send(1, []byte("vote"))
		b.Send(3, []byte("vote"))
		a.wantNothing()
		b.wantNothing()
		c.wantNothing()
		for _, m := range []*member{a, b, c} {
			m.stop()
		}
	})
}

// Members that all speak at once, restart and forget their connections end up with one connection between every two,
// and with each other's last word.
func TestEverybodyAtOnce(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			r := rand.New(rand.NewPCG(seed, 0))
			const size = 5
			members := make([]*member, size+1)
			for sid := int64(1); sid <= size; sid++ {
				members[sid] = n.start(sid)
			}
			for step := range 60 {
				from, to := 1+r.Int64N(size), 1+r.Int64N(size)
				switch r.IntN(10) {
				case 0:
					members[from].stop()
					members[from] = n.start(from)
				case 1:
					members[from].ConnectAll()
				case 2:
					synctest.Wait()
				default:
					members[from].Send(to, fmt.Appendf(nil, "%d to %d: %d", from, to, step))
				}
			}
			synctest.Wait()
			for from := int64(1); from <= size; from++ {
				for to := int64(1); to <= size; to++ {
					members[from].Send(to, fmt.Appendf(nil, "last of %d", from))
				}
			}
			for to := int64(1); to <= size; to++ {
				last := members[to].drain()
				for from := int64(1); from <= size; from++ {
					if want := fmt.Sprintf("last of %d", from); last[from] != want {
						t.Errorf("seed %d: %d heard %q of %d", seed, to, last[from], from)
					}
					if from != to && !members[to].Connected(from) {
						t.Errorf("seed %d: %d is not connected with %d", seed, to, from)
					}
				}
			}
			for sid := int64(1); sid <= size; sid++ {
				members[sid].stop()
			}
		})
	}
}
