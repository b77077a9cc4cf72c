package differential

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/quollhq/quoll/internal/proto"
)

// event is a watch event as it came.
type event struct {
	zxid int64
	text string
}

// reply is the answer to a request.
type reply struct {
	zxid int64
	err  proto.Code
	// text is all of it in normal form: equal texts are equal bytes, but for what normal form evens out.
	text string
	// results are what the operations of the request came to: one, or of a multi as many as it has.
	results []result
}

// result is what the generator learns from one operation.
type result struct {
	err  proto.Code
	path string // that was created
	stat *proto.Stat
	data []byte
	list []string
}

// event decodes a notification.
func (w *world) event(frame []byte) (event, bool) {
	c := cursor{b: frame}
	xid, zxid, code := c.int(), c.long(), c.int()
	if c.bad || xid != proto.XidNotification {
		return event{}, false
	}
	kind, state, path := proto.EventType(c.int()), c.int(), c.buffer()
	text := fmt.Sprintf("event zxid=0x%x %s state=%d %s", uint64(zxid), kind, state, plain(path))
	return event{zxid: zxid, text: text + code32(code) + rest(&c)}, true
}

func code32(code int32) string {
	if code == 0 {
		return ""
	}
	return fmt.Sprintf(" err=%d", code)
}

// finish brings events into normal form. When a session closes, its ephemerals go in the order of a Java hash set: the
// events of one closing are put in order.
func (o *observation) finish(w *world) {
	next := 0
	var run []int // the lines of the events in a row of one closing
	zxid := int64(-1)
	flush := func() {
		texts := make([]string, 0, len(run))
		for _, i := range run {
			texts = append(texts, o.lines[i])
		}
		slices.Sort(texts)
		for k, i := range run {
			o.lines[i] = texts[k]
		}
		run = run[:0]
	}
	for i, line := range o.lines {
		if next == len(o.events) || o.events[next].text != line {
			flush()
			continue
		}
		e := o.events[next]
		next++
		if e.zxid != zxid || !w.closing[e.zxid] {
			flush()
			zxid = e.zxid
		}
		run = append(run, i)
	}
	flush()
}

// reply decodes the answer to a request.
func (w *world) reply(r request, frame []byte) reply {
	c := cursor{b: frame}
	xid, zxid, code := c.int(), c.long(), proto.Code(c.int())
	if c.bad {
		return reply{text: fmt.Sprintf("malformed reply %x", frame)}
	}
	if r.op == proto.OpCloseSession {
		w.closing[zxid] = true
	}
	p := reply{zxid: zxid, err: code}
	body := ""
	if code == proto.OK {
		body = w.body(r.op, &c, &p)
	} else {
		p.results = []result{{err: code}}
	}
	if r.op == proto.OpMultiRead && code == proto.MarshallingError {
		c.b = nil // Apache's server sends the results before the failure, too, which no client looks at
	}
	if r.nullID && (code == proto.MarshallingError || code == proto.InvalidACL) {
		code = proto.InvalidACL // what is null is a NullPointerException in Apache's server
	}
	p.text = fmt.Sprintf("reply xid=%d zxid=0x%x %s%s%s", xid, uint64(zxid), codeName(code), body, rest(&c))
	return p
}

func codeName(c proto.Code) string {
	if c == proto.OK {
		return "ok"
	}
	return fmt.Sprintf("err=%d (%s)", int32(c), c.Error())
}

// rest shows what should not be there.
func rest(c *cursor) string {
	switch {
	case c.bad:
		return fmt.Sprintf(" (ends too early, at %x)", head(c.b))
	case len(c.b) > 0:
		return fmt.Sprintf(" (then %x)", head(c.b))
	}
	return ""
}

// body decodes what follows a reply's header.
func (w *world) body(op proto.Op, c *cursor, p *reply) string {
	var r result
	text := ""
	switch op {
	case proto.OpCreate, proto.OpSync:
		text = w.path(c, &r)
	case proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
		text = w.path(c, &r) + w.stat(c, &r)
	case proto.OpExists, proto.OpSetData, proto.OpSetACL:
		text = w.stat(c, &r)
	case proto.OpGetData:
		r.data = c.buffer()
		text = " data=" + quoted(r.data) + w.stat(c, &r)
	case proto.OpGetACL:
		text = " acl=" + strings.Join(acls(c, true), ",") + w.stat(c, &r)
	case proto.OpGetChildren, proto.OpGetEphemerals:
		text = list(c, &r)
	case proto.OpGetChildren2:
		text = list(c, &r) + w.stat(c, &r)
	case proto.OpGetAllChildrenNumber, proto.OpAddWatch:
		text = fmt.Sprintf(" %d", c.int())
	case proto.OpSASL:
		text = " token=" + quoted(c.buffer())
	case proto.OpWhoAmI:
		text = whoAmI(c)
	case proto.OpMulti, proto.OpMultiRead:
		return w.multi(c, p)
	}
	p.results = []result{r}
	return text
}

func (w *world) path(c *cursor, r *result) string {
	b := c.buffer()
	r.path = string(b)
	return " path=" + plain(b)
}

func (w *world) stat(c *cursor, r *result) string {
	s := proto.Stat{
		Czxid: c.long(), Mzxid: c.long(), Ctime: c.long(), Mtime: c.long(),
		Version: c.int(), Cversion: c.int(), Aversion: c.int(), EphemeralOwner: c.long(),
		DataLength: c.int(), NumChildren: c.int(), Pzxid: c.long(),
	}
	if c.bad {
		return " stat cut short"
	}
	r.stat = &s
	owner := "0"
	if s.EphemeralOwner != 0 {
		owner = w.who(s.EphemeralOwner)
	}
	return fmt.Sprintf(" stat{c=0x%x m=0x%x p=0x%x version=%d cversion=%d aversion=%d owner=%s length=%d children=%d%s}",
		uint64(s.Czxid), uint64(s.Mzxid), uint64(s.Pzxid), s.Version, s.Cversion, s.Aversion, owner, s.DataLength, s.NumChildren,
		w.checkTimes(&s))
}

// list decodes strings, whose order is a hash map's, and sorts them.
func list(c *cursor, r *result) string {
	n := c.int()
	shown := []string{}
	for range n {
		if c.bad {
			break
		}
		b := c.buffer()
		shown = append(shown, plain(b))
		r.list = append(r.list, string(b))
	}
	slices.Sort(shown)
	slices.Sort(r.list)
	return fmt.Sprintf(" %d%v", n, shown)
}

// whoAmI decodes identities, whose order is a hash set's, and sorts them.
func whoAmI(c *cursor) string {
	n := c.int()
	var ids []string
	for range n {
		if c.bad {
			break
		}
		ids = append(ids, plain(c.buffer())+":"+plain(c.buffer()))
	}
	slices.Sort(ids)
	return fmt.Sprintf(" %d%v", n, ids)
}

// acls decodes an access control list. With even, entries in a row with the same permissions are sorted: the entry auth:
// stands for all identities of the client, and these are a hash set in Apache's server.
func acls(c *cursor, even bool) []string {
	n := c.int()
	if n < 0 {
		return []string{fmt.Sprintf("%d entries", n)}
	}
	var list []string
	start, last := 0, int32(-1)
	for i := range int(n) {
		perms := c.int()
		entry := fmt.Sprintf("%d:%s:%s", perms, plain(c.buffer()), plain(c.buffer()))
		if c.bad {
			break
		}
		if even && perms != last {
			slices.Sort(list[start:])
			start, last = i, perms
		}
		list = append(list, entry)
	}
	if even && start < len(list) {
		slices.Sort(list[start:])
	}
	return list
}

// multi decodes the results of a multi or multiRead.
func (w *world) multi(c *cursor, p *reply) string {
	var b strings.Builder
	for !c.bad {
		op, done, code := proto.Op(c.int()), c.bool(), proto.Code(c.int())
		fmt.Fprintf(&b, "\n             %s", op)
		if done {
			fmt.Fprintf(&b, " end %d", int32(code))
			break
		}
		if op == proto.OpError {
			second := proto.Code(c.int())
			fmt.Fprintf(&b, " %s %s", codeName(code), codeName(second))
			p.results = append(p.results, result{err: second})
			continue
		}
		fmt.Fprintf(&b, " %s", codeName(code))
		one := reply{}
		b.WriteString(w.body(op, c, &one))
		p.results = append(p.results, one.results...)
	}
	return b.String()
}

// quoted shows bytes: long ones by length and checksum.
func quoted(b []byte) string {
	switch {
	case b == nil:
		return "null"
	case len(b) > 120:
		return fmt.Sprintf("%q...(%d bytes, crc %08x)", b[:16], len(b), crc32.ChecksumIEEE(b))
	}
	return fmt.Sprintf("%q", b)
}

// plain shows a string. What is not UTF-8 Apache's server replaces by U+FFFD, and what is beyond the basic multilingual
// plane it encodes as two surrogates, which is not UTF-8 either. quoll leaves strings as they are.
func plain(b []byte) string {
	if b == nil {
		return "null"
	}
	odd := func(r rune) bool { return r == utf8.RuneError || r > 0xffff }
	if bytes.IndexFunc(b, odd) < 0 {
		return quoted(b)
	}
	var out []byte
	last := false
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if odd(r) {
			if !last {
				out = append(out, "\ufffd"...)
			}
		} else {
			out = append(out, b[:n]...)
		}
		last = odd(r)
		b = b[n:]
	}
	return quoted(out)
}
