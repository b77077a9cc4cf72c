package listener

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/proto"
)

func TestTimeoutsAreClamped(t *testing.T) {
	w := newWorld(t, nil)
	for asked, want := range map[int32]int32{0: 4000, 3999: 4000, 4000: 4000, 10000: 10000, 40001: 40000, -5: 4000} {
		r := w.dial().connect(proto.ConnectRequest{TimeOut: asked, Passwd: make([]byte, 16), HasReadOnly: true})
		if r.TimeOut != want || r.SessionID == 0 || len(r.Passwd) != 16 || r.ReadOnly || !r.HasReadOnly || r.ProtocolVersion != 0 {
			t.Errorf("asked for %d: %+v, want %d", asked, r, want)
		}
	}
}

func TestOldClientsSendNoReadOnlyByte(t *testing.T) {
	w := newWorld(t, nil)
	p := w.dial()
	r := p.connect(proto.ConnectRequest{TimeOut: 10000, Passwd: make([]byte, 16)})
	if r.SessionID == 0 || r.HasReadOnly {
		t.Errorf("response %+v", r)
	}
	p.alive()
}

func TestRenewal(t *testing.T) {
	w := newWorld(t, nil)
	p := w.client()
	p.must(proto.OpCreate, createBody("/e", "", proto.FlagEphemeral))
	p.Close()
	await(t, "the connection to end", func() bool { return w.Len() == 0 })

	q := w.dial()
	r := q.connect(proto.ConnectRequest{TimeOut: 20000, SessionID: p.id, Passwd: p.pass, HasReadOnly: true})
	if r.SessionID != p.id || r.TimeOut != 20000 || string(r.Passwd) != string(p.pass) {
		t.Fatalf("renewal: %+v", r)
	}
	q.must(proto.OpExists, readBody("/e", false))

	for name, req := range map[string]proto.ConnectRequest{
		"wrong password": {SessionID: p.id, Passwd: make([]byte, 16)},
		"short password": {SessionID: p.id, Passwd: p.pass[:3]},
		"no password":    {SessionID: p.id},
		"no session":     {SessionID: p.id + 1, Passwd: p.pass},
	} {
		req.TimeOut, req.HasReadOnly = 10000, true
		o := w.dial()
		r := o.connect(req)
		if r.SessionID != 0 || r.TimeOut != 0 || string(r.Passwd) != string(make([]byte, 16)) {
			t.Errorf("%s: %+v", name, r)
		}
		if rest := o.ended(); len(rest) > 0 {
			t.Errorf("%s: then came %x", name, rest)
		}
	}
	q.alive()
}

func TestRenewalOfAnExpiredSession(t *testing.T) {
	w := newWorld(t, nil)
	p := w.client()
	p.must(proto.OpCreate, createBody("/e", "", proto.FlagEphemeral))
	if err := w.Engine.CloseSession(w.Sessions.Get(p.id)); err != nil {
		t.Fatal(err)
	}
	p.ended()
	q := w.dial()
	if r := q.connect(proto.ConnectRequest{TimeOut: 1, SessionID: p.id, Passwd: p.pass}); r.SessionID != 0 {
		t.Errorf("renewed: %+v", r)
	}
	q.ended()
	if code, _ := w.client().call(proto.OpExists, readBody("/e", false)); code != proto.NoNode {
		t.Errorf("the ephemeral of an expired session: %v", code)
	}
}

func TestSessionTakenOver(t *testing.T) {
	w := newWorld(t, nil)
	p := w.client()
	for range 3 {
		q := w.dial()
		if r := q.connect(proto.ConnectRequest{TimeOut: 10000, SessionID: p.id, Passwd: p.pass}); r.SessionID != p.id {
			t.Fatalf("second connection: %+v", r)
		}
		p.ended()
		q.alive()
		p = q
	}
	if n := w.Len(); n != 1 {
		t.Errorf("%d connections remain", n)
	}
}

func TestClientFromTheFuture(t *testing.T) {
	w := newWorld(t, nil)
	p := w.dial()
	p.send(frame((&proto.ConnectRequest{LastZxidSeen: 1 << 40, TimeOut: 1, Passwd: make([]byte, 16)}).Append(nil)))
	if b := p.ended(); len(b) != 0 {
		t.Errorf("answer %x", b)
	}
	if !strings.Contains(w.log.String(), "0x10000000000") {
		t.Errorf("the log does not say why:\n%s", w.log)
	}
}

func TestNoSessionInTime(t *testing.T) {
	w := newWorld(t, func(s *setup) { s.listener.HandshakeTimeout = time.Second })
	p := w.dial()
	p.send([]byte{0, 0})
	p.ended()
	await(t, "the count", func() bool { return w.Sessionless.Load() == 1 })
	q := w.client()
	time.Sleep(w.HandshakeTimeout * 5 / 4) // nothing is to happen in that time
	q.alive()
}

func TestByteByByte(t *testing.T) {
	w := newWorld(t, nil)
	p := w.dial()
	b := frame((&proto.ConnectRequest{TimeOut: 10000, Passwd: make([]byte, 16), HasReadOnly: true}).Append(nil))
	b = append(b, message(1, proto.OpCreate, createBody("/slow", "data", 0))...)
	b = append(b, message(2, proto.OpGetData, readBody("/slow", false))...)
	for i := range b {
		p.send(b[i : i+1])
	}
	p.next()
	if h, _ := p.reply(); h.Xid != 1 || h.Err != 0 {
		t.Errorf("create: %+v", h)
	}
	h, d := p.reply()
	if data := d.Buffer(); h.Xid != 2 || string(data) != "data" {
		t.Errorf("get: %+v %q", h, data)
	}
}

func TestHandshakeAndRequestsInOneWrite(t *testing.T) {
	w := newWorld(t, nil)
	p := w.dial()
	b := frame((&proto.ConnectRequest{TimeOut: 10000, Passwd: make([]byte, 16)}).Append(nil))
	for i := range int32(2000) {
		b = append(b, message(i+1, proto.OpExists, readBody("/", false))...)
	}
	go p.Write(b)
	p.next()
	for i := range int32(2000) {
		if h, _ := p.reply(); h.Xid != i+1 || h.Err != 0 {
			t.Fatalf("reply %d: %+v", i, h)
		}
	}
}

func TestFourLetterWords(t *testing.T) {
	w := newWorld(t, func(s *setup) {
		s.listener.FourLetter = func(word string, arg []byte, out io.Writer) bool {
			if word != "ruok" && word != "stmk" {
				return false
			}
			fmt.Fprintf(out, "%s %x", word, arg)
			return true
		}
	})
	for in, want := range map[string]string{
		"ruok": "ruok ", "ruok\n": "ruok 0a", "stmk\x00\x00\x00\x00\x00\x00\x00\x07": "stmk 0000000000000007",
		"nope": "", "\xff\xf4\xff\xfd\x06": "", "\xff\xff\xff\xff": "", "\x80\x00\x00\x00": "",
	} {
		p := w.dial()
		p.send([]byte(in))
		if got := string(p.ended()); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	// The mask may come later than its word.
	p := w.dial()
	for _, part := range []string{"st", "mk\x00\x00", "\x00\x00\x00\x00", "\x00\x07"} {
		p.send([]byte(part))
	}
	if got := string(p.ended()); got != "stmk 0000000000000007" {
		t.Errorf("in parts: %q", got)
	}
	w.client().alive()
}

func TestWordsAreNoRequests(t *testing.T) {
	w := newWorld(t, nil)
	p := w.client()
	p.send([]byte("ruok"))
	p.ended() // as a length it is far too large
	w.client().alive()
}

func TestConnectRequestThatDoesNotDecode(t *testing.T) {
	w := newWorld(t, nil)
	whole := (&proto.ConnectRequest{TimeOut: 10000, Passwd: make([]byte, 16)}).Append(nil)
	hugePassword := append([]byte(nil), whole...)
	binary.BigEndian.PutUint32(hugePassword[24:], 1<<30)
	for name, b := range map[string][]byte{
		"empty": {}, "cut": whole[:20], "password cut": whole[:30], "huge password": hugePassword,
	} {
		p := w.dial()
		p.send(frame(b))
		if got := p.ended(); len(got) > 0 {
			t.Errorf("%s: answered %x", name, got)
		}
	}
	await(t, "connections to end", func() bool { return w.Len() == 0 })
	if n := w.Sessions.Len(); n != 0 {
		t.Errorf("%d sessions were opened", n)
	}
}
