package differential

import (
	"fmt"
	"strings"

	"github.com/quollhq/quoll/internal/proto"
)

// A step is what happens on one slot (a client of the test) before anything happens on another. All steps can be taken in
// any state of the slot, so that a sequence stays runnable when steps are taken out of it.
type step interface {
	// run takes the step and tells what the server did, line by line.
	run(w *world) observation
	String() string
}

// observation is what a server did in one step.
type observation struct {
	// lines are events, replies and closed connections in the order of their coming, in normal form.
	lines []string
	// replies are those to the step's requests, for the generator; shorter if the server closed the connection.
	replies []reply
	// events are those among lines, in order.
	events []event
	// closed tells that the slot has no connection afterwards.
	closed bool
	// stuck tells that the server neither answered nor hung up.
	stuck bool
}

func (o *observation) add(format string, args ...any) {
	o.lines = append(o.lines, fmt.Sprintf(format, args...))
}

// open makes a new session on a slot.
type open struct {
	slot     int
	timeout  int32
	zxid     int64 // that the client claims to have seen
	readOnly byte  // 0 or 1, anything else leaves the field out
	passwd   []byte
}

func (s open) String() string {
	return fmt.Sprintf("client %d: open a session, timeout %d, seen zxid 0x%x, password of %d bytes, readOnly %s",
		s.slot, s.timeout, s.zxid, len(s.passwd), readOnlyName(s.readOnly))
}

func readOnlyName(b byte) string {
	if b > 1 {
		return "absent"
	}
	return fmt.Sprint(b == 1)
}

// resume connects to the slot's session again.
type resume struct {
	slot     int
	timeout  int32
	zxid     int64
	readOnly byte
	// wrong says what is wrong: "" for nothing, "password", "length" (of the password) or "session".
	wrong string
	// drop closes the connection that the slot has before it opens another.
	drop bool
}

func (s resume) String() string {
	how := "with the right password"
	if s.wrong != "" {
		how = "with a wrong " + s.wrong
	}
	if s.drop {
		how += ", the old connection closed before"
	}
	return fmt.Sprintf("client %d: resume its session %s, timeout %d, seen zxid 0x%x", s.slot, how, s.timeout, s.zxid)
}

// drop closes the slot's connection without a word.
type drop struct{ slot int }

func (s drop) String() string { return fmt.Sprintf("client %d: close the connection", s.slot) }

// raw sends bytes that are no request, on a connection of its own, and waits until the server hangs up.
type raw struct {
	why   string
	bytes []byte
}

func (s raw) String() string { return fmt.Sprintf("a stranger sends %s: %x", s.why, head(s.bytes)) }

// request is one request of a client.
type request struct {
	xid  int32
	op   proto.Op
	body []byte
	// bytes replace the whole frame, its length included, if not nil: the server must hang up on it.
	bytes []byte
	// ends tells that the server is to hang up after a refusal.
	ends bool
	// nullID tells that an ACL of the request may have an id or a scheme that is null.
	nullID bool
	// hints tell the generator what the request is about.
	hints []hint
}

// fatal tells that the server may hang up at once, without the reply that shows that nothing else is on its way: identities
// are read, and refused, where the request arrives.
func (r request) fatal() bool { return r.bytes != nil || r.op == proto.OpAuth || r.op == proto.OpSASL }

func (r request) frame() []byte {
	if r.bytes != nil {
		return r.bytes
	}
	return framed(append(putInt(putInt(nil, r.xid), int32(r.op)), r.body...))
}

func (r request) String() string {
	if r.bytes != nil {
		return fmt.Sprintf("raw frame %x", head(r.bytes))
	}
	return fmt.Sprintf("xid=%d %s %s", r.xid, r.op, describe(r.op, r.body))
}

// send writes requests in one go and waits for all their replies.
type send struct {
	slot     int
	requests []request
}

func (s send) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "client %d: ", s.slot)
	for i, r := range s.requests {
		if i > 0 {
			b.WriteString("\n           ")
		}
		b.WriteString(r.String())
	}
	return b.String()
}

// head is the beginning of long bytes.
func head(b []byte) []byte { return b[:min(len(b), 200)] }
