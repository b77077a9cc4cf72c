package differential

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/quollhq/quoll/internal/proto"
)

// slots is the number of clients.
const slots = 4

// world is one server as the test's clients see it. It belongs to one goroutine at a time.
type world struct {
	name string
	addr string
	// clients are the slots, and the walker's.
	clients [slots + 1]client
	// sessions are all that the server gave out, in order: the number in it stands for the id, which differs.
	sessions []session
	// times are the times of transactions by zxid, as far as stats have shown them.
	times map[int64]int64
	// closing holds the zxids of closed sessions.
	closing map[int64]bool
}

type client struct {
	wire    *wire // nil if not connected
	session int   // in world.sessions, -1 if none
}

type session struct {
	id     int64
	passwd []byte
}

func newWorld(name, addr string) *world {
	w := &world{name: name, addr: addr, times: map[int64]int64{}, closing: map[int64]bool{}}
	for i := range w.clients {
		w.clients[i].session = -1
	}
	return w
}

// moved is the world on another server that has taken over its data.
func (w *world) moved(name, addr string) *world {
	w.disconnect()
	m := *w
	m.name, m.addr = name, addr
	return &m
}

func (w *world) disconnect() {
	for i := range w.clients {
		w.hangUp(i)
	}
}

func (w *world) hangUp(slot int) {
	if c := &w.clients[slot]; c.wire != nil {
		c.wire.part()
		c.wire = nil
	}
}

// who names a session in transcripts.
func (w *world) who(id int64) string {
	if id == 0 {
		return "0"
	}
	for i, s := range w.sessions {
		if s.id == id {
			return fmt.Sprintf("session %d", i)
		}
	}
	return fmt.Sprintf("unknown session 0x%x", uint64(id))
}

// checkTimes checks the times of a stat, which cannot be equal on two servers: a znode's ctime is the time of the
// transaction czxid and its mtime that of mzxid, the same in every stat. It returns what is wrong, normally nothing.
func (w *world) checkTimes(s *proto.Stat) string {
	return w.checkTime("ctime", s.Czxid, s.Ctime) + w.checkTime("mtime", s.Mzxid, s.Mtime)
}

func (w *world) checkTime(what string, zxid, time int64) string {
	if before, known := w.times[zxid]; !known {
		w.times[zxid] = time
	} else if before != time {
		return fmt.Sprintf(" %s %d, but transaction 0x%x was at %d", what, time, zxid, before)
	}
	return ""
}

func (s open) run(w *world) observation {
	var o observation
	w.hangUp(s.slot)
	w.clients[s.slot].session = -1
	b := connectRequest(s.zxid, s.timeout, 0, s.passwd, s.readOnly)
	w.connect(s.slot, b, &o)
	o.closed = w.clients[s.slot].wire == nil
	return o
}

func connectRequest(zxid int64, timeout int32, id int64, passwd []byte, readOnly byte) []byte {
	b := putBuffer(putLong(putInt(putLong(putInt(nil, 0), zxid), timeout), id), passwd)
	if readOnly <= 1 {
		b = append(b, readOnly)
	}
	return framed(b)
}

// connect makes a connection and the handshake. If the server agrees, it becomes the slot's.
func (w *world) connect(slot int, request []byte, o *observation) {
	conn, err := dial(w.addr)
	if err != nil {
		o.add("cannot connect: %v", err)
		return
	}
	if err := conn.send(request); err != nil {
		o.add("handshake: %v", errClosed)
		conn.close()
		return
	}
	frame, err := conn.frame()
	if err != nil {
		o.add("handshake: %v", err)
		conn.close()
		return
	}
	c := cursor{b: frame}
	version, timeout, id, passwd := c.int(), c.int(), c.long(), c.buffer()
	if id != 0 && w.who(id)[0] == 'u' {
		w.sessions = append(w.sessions, session{id: id, passwd: passwd})
	}
	shown := fmt.Sprintf("%d bytes", len(passwd))
	if bytes.Count(passwd, []byte{0}) == len(passwd) {
		shown = fmt.Sprintf("%d zeros", len(passwd))
	}
	o.add("handshake: version %d, timeout %d, %s, password %s, then %x", version, timeout, w.who(id), shown, c.b)
	if id == 0 {
		w.drain(conn, o)
		conn.close()
		return
	}
	w.clients[slot] = client{wire: conn, session: slices.IndexFunc(w.sessions, func(s session) bool { return s.id == id })}
}

// drain notes what comes until the server hangs up.
func (w *world) drain(conn *wire, o *observation) {
	for {
		frame, err := conn.frame()
		if err != nil {
			o.add("%v", err)
			o.stuck = !errors.Is(err, errClosed)
			return
		}
		w.unasked(frame, o)
	}
}

// unasked notes a frame that should be an event.
func (w *world) unasked(frame []byte, o *observation) {
	if e, ok := w.event(frame); ok {
		o.events = append(o.events, e)
		o.lines = append(o.lines, e.text)
		return
	}
	o.add("unexpected frame %x", head(frame))
}

func (s resume) run(w *world) observation {
	var o observation
	if s.drop || s.wrong != "" {
		// With a wrong password Apache closes the session's connection, quoll does not: anybody could do it.
		w.hangUp(s.slot)
	}
	was := w.clients[s.slot]
	if was.wire != nil {
		// So that no event is on its way to the connection that the server is going to close.
		w.ask(s.slot, &o)
		was.wire = w.clients[s.slot].wire
	}
	var who session
	if was.session >= 0 {
		who = w.sessions[was.session]
	} else {
		who = session{id: 0x1234567, passwd: make([]byte, 16)}
	}
	switch s.wrong {
	case "password":
		who.passwd = slices.Clone(who.passwd)
		who.passwd[3] ^= 1
	case "length":
		who.passwd = who.passwd[:8]
	case "session":
		who.id += 1 << 20 // one that nobody has: with a wrong password, Apache closes the connection of the session
	}
	w.clients[s.slot].wire = nil
	w.connect(s.slot, connectRequest(s.zxid, s.timeout, who.id, who.passwd, s.readOnly), &o)
	if was.wire != nil {
		if s.zxid == 0 { // otherwise it may have been refused before the old one was touched
			w.drain(was.wire, &o)
		}
		was.wire.part()
	}
	o.closed = w.clients[s.slot].wire == nil
	return o
}

func (s drop) run(w *world) observation {
	var o observation
	if w.clients[s.slot].wire != nil {
		w.ask(s.slot, &o)
	}
	w.hangUp(s.slot)
	o.closed = true
	o.finish(w)
	return o
}

func (s raw) run(w *world) observation {
	var o observation
	conn, err := dial(w.addr)
	if err != nil {
		o.add("cannot connect: %v", err)
		return o
	}
	defer conn.close()
	if err := conn.send(s.bytes); err != nil {
		o.add("%v", errClosed)
		return o
	}
	w.drain(conn, &o)
	return o
}

var ping = request{xid: -2, op: proto.OpPing}

// ask pings, to know whether the connection is open and that no more events are on their way.
func (w *world) ask(slot int, o *observation) {
	before := len(o.replies)
	w.converse(slot, []request{ping}, o)
	o.replies = o.replies[:before]
}

func (s send) run(w *world) observation {
	var o observation
	if w.clients[s.slot].wire == nil {
		o.add("not connected")
		o.closed = true
		return o
	}
	if slices.ContainsFunc(s.requests, request.fatal) {
		// So that no event of another client's step is on its way when the server hangs up: Apache's drops it.
		w.ask(s.slot, &o)
	}
	if w.clients[s.slot].wire != nil {
		w.converse(s.slot, s.requests, &o)
	}
	o.closed = w.clients[s.slot].wire == nil
	o.finish(w)
	return o
}

// converse sends requests in one write and takes the replies.
func (w *world) converse(slot int, requests []request, o *observation) {
	c := &w.clients[slot]
	var b []byte
	for _, r := range requests {
		b = append(b, r.frame()...)
	}
	// A failed write shows as a closed connection below.
	_ = c.wire.send(b)
	for _, r := range requests {
		if !w.take(slot, r, o) {
			return
		}
	}
	last := requests[len(requests)-1]
	switch {
	case last.op == proto.OpCloseSession:
		w.drain(c.wire, o)
		w.hangUp(slot)
		c.session = -1
	case last.ends && o.replies[len(o.replies)-1].err != proto.OK:
		w.drain(c.wire, o)
		w.hangUp(slot)
	}
}

// take waits for the reply to one request; false if the connection is gone.
func (w *world) take(slot int, r request, o *observation) bool {
	c := &w.clients[slot]
	for {
		frame, err := c.wire.frame()
		if err != nil {
			o.add("%v", err)
			w.hangUp(slot)
			if !errors.Is(err, errClosed) {
				o.stuck = true
			}
			return false
		}
		if e, ok := w.event(frame); ok {
			o.events = append(o.events, e)
			o.lines = append(o.lines, e.text)
			continue
		}
		p := w.reply(r, frame)
		o.replies = append(o.replies, p)
		o.lines = append(o.lines, p.text)
		return true
	}
}
