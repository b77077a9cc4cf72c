package request

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/quollhq/quoll/internal/auth"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/watch"
)

// IsWrite tells whether requests of this kind go through the log.
func IsWrite(op proto.Op) bool {
	switch op {
	case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL,
		proto.OpDelete, proto.OpDeleteContainer, proto.OpSetData, proto.OpSetACL,
		proto.OpMulti, proto.OpReconfig, proto.OpCloseSession:
		return true
	}
	return false
}

// IsRead tells whether Read answers requests of this kind.
func IsRead(op proto.Op) bool {
	switch op {
	case proto.OpExists, proto.OpGetData, proto.OpGetACL, proto.OpGetChildren, proto.OpGetChildren2,
		proto.OpSync, proto.OpPing, proto.OpMultiRead, proto.OpSetWatches, proto.OpSetWatches2,
		proto.OpAddWatch, proto.OpCheckWatches, proto.OpRemoveWatches, proto.OpGetEphemerals,
		proto.OpGetAllChildrenNumber, proto.OpWhoAmI:
		return true
	}
	return false
}

// ReadsTree tells whether requests of this kind are reads that answer what is in
// the tree.
func ReadsTree(op proto.Op) bool {
	switch op {
	case proto.OpExists, proto.OpGetData, proto.OpGetACL, proto.OpGetChildren, proto.OpGetChildren2, proto.OpMultiRead,
		proto.OpGetEphemerals, proto.OpGetAllChildrenNumber:
		return true
	}
	return false
}

// readChunk is how many reads are answered before writers get their turn.
const readChunk = 64

// readBytes is how long replies may get until Read leaves the rest for later.
const readBytes = 1 << 20

// Read answers reads of one client, in order, into its outbox. It gives how
// many it has answered, at least one: when the replies get long, the caller has
// to see that the client takes them before it goes on with the rest. The client
// has no writes in flight. when is the time at which the requests came in.
//
// The replies are put into the outbox under the tree's read lock: so an event
// of a later change cannot overtake them, nor they one of an earlier change.
func (e *Engine) Read(c *Client, reqs []Request, when time.Time) (answered int) {
	for answered < len(reqs) {
		rest := reqs[answered:]
		n := min(len(rest), readChunk)
		e.Tree.RLock(c.Slot)
		c.mu.Lock()
		r := e.reader(c)
		start := len(c.buf)
		if !c.closed {
			if r.refusal = c.Session.Check(LocalOwner); r.refusal == proto.SessionMoved {
				c.last = true // the connection ends, see committer.moved
				c.mu.Unlock()
				e.Tree.RUnlock(c.Slot)
				return len(reqs)
			}
			n = r.run(rest[:n], start)
		}
		bytes := len(c.buf) - start
		c.mu.Unlock()
		e.Tree.RUnlock(c.Slot)
		r.account(rest[:n], when, bytes)
		answered += n
		if r.large && bytes < readBytes {
			e.readLarge(c, &rest[n], when)
			answered++
			break
		}
		if bytes >= readBytes {
			break
		}
	}
	return answered
}

// reader makes one. The tree's lock is held.
func (e *Engine) reader(c *Client) reader {
	return reader{e: e, c: c, t: e.Tree, zxid: e.Tree.Zxid(), visits: visits{all: &e.Metrics.namespaces, at: c.reads.at}}
}

// reader answers reads. Its methods run under the tree's read lock and the
// outbox's lock.
type reader struct {
	e    *Engine
	c    *Client
	t    *tree.Tree
	zxid int64
	// refusal answers all requests of a session that is closing.
	refusal proto.Code
	large   bool // run stopped before a request for a large list
	// multi is set while the reads of a multiRead are answered: they set no
	// watches, whatever they say.
	multi  bool
	sizes  frameSizes
	visits visits
}

// run answers requests until the replies, from start on, are long, or up to one
// that asks for a large list. It gives how many it has answered.
func (r *reader) run(reqs []Request, start int) int {
	r.t.Near(len(reqs), func(i int) []byte { return reqs[i].Body })
	for i := range reqs {
		if r.large = r.isLarge(&reqs[i]); r.large {
			return i
		}
		r.answer(&reqs[i])
		if len(r.c.buf)-start >= readBytes {
			return i + 1
		}
	}
	return len(reqs)
}

// account notes a run of answered reads.
func (r *reader) account(reqs []Request, when time.Time, bytes int) {
	if len(reqs) == 0 {
		return
	}
	now := r.e.Now()
	d := now.Sub(when)
	m := &r.e.Metrics
	for i := 0; i < len(reqs); {
		j := i + 1
		for j < len(reqs) && reqs[j].Op == reqs[i].Op {
			j++
		}
		m.ops[slotOf(reqs[i].Op)].Add(int64(j - i))
		i = j
	}
	n := int64(len(reqs))
	m.Sent.Add(n)
	m.Reads.Add(n, d)
	m.ResponseBytes.Add(int64(bytes))
	m.responses.add(&r.sizes)
	last := &reqs[len(reqs)-1]
	r.c.mu.Lock()
	r.c.Stats.answered(last.Op, last.Xid, r.zxid, n, d, now)
	r.c.reads.take(&r.visits)
	r.c.mu.Unlock()
}

// answer appends the frame that answers one request.
func (r *reader) answer(q *Request) {
	o := &r.c.Outbox
	o.begin()
	xid := q.Xid
	if q.Op == proto.OpPing {
		xid = proto.XidPing // whatever the client numbered it
	}
	o.header(xid, r.zxid, proto.OK)
	d := jute.NewDecoder(q.Body)
	b, code := o.buf, r.refusal
	if code == proto.OK {
		b, code = r.body(b, q.Op, &d)
	}
	if code == proto.OK && d.Err() != nil {
		code = proto.MarshallingError
	}
	if code != proto.OK {
		o.fail(q.Xid, r.zxid, code)
	} else {
		o.buf = b
	}
	o.end()
	r.sizes.note(len(o.buf) - o.frame)
}

// body appends what a read answers. A malformed request may yield anything:
// the caller looks at the decoder.
func (r *reader) body(b []byte, op proto.Op, d *jute.Decoder) ([]byte, proto.Code) {
	switch op {
	case proto.OpGetData:
		return r.getData(b, d)
	case proto.OpExists:
		return r.exists(b, d)
	case proto.OpGetChildren, proto.OpGetChildren2:
		return r.getChildren(b, d, op == proto.OpGetChildren2)
	case proto.OpPing:
		return b, proto.OK
	case proto.OpSync:
		return jute.AppendBuffer(b, d.Buffer()), proto.OK
	case proto.OpGetACL:
		return r.getACL(b, d)
	case proto.OpGetAllChildrenNumber:
		return r.getAllChildrenNumber(b, d)
	case proto.OpGetEphemerals:
		return r.getEphemerals(b, d)
	case proto.OpMultiRead:
		return r.multiRead(b, d)
	case proto.OpAddWatch:
		return r.addWatch(b, d)
	case proto.OpCheckWatches, proto.OpRemoveWatches:
		return b, r.findWatch(d, op == proto.OpRemoveWatches)
	case proto.OpSetWatches, proto.OpSetWatches2:
		return r.setWatches(b, d, op)
	case proto.OpWhoAmI:
		return r.whoAmI(b), proto.OK
	}
	return b, proto.Unimplemented
}

// nodePath reads the path of a znode. One that is null makes the request a
// malformed one.
func nodePath(d *jute.Decoder) string {
	path := d.Buffer()
	if path == nil {
		d.Fail(jute.ErrMalformed)
	}
	return jute.Alias(path)
}

// find is the znode at path if the client has perm on it.
func (r *reader) find(path string, perm int32) (tree.Node, proto.Code) {
	n := r.t.Find(path)
	if n == 0 {
		return 0, proto.NoNode
	}
	if !r.allowed(n, perm) {
		return 0, proto.NoAuth
	}
	return n, proto.OK
}

func (r *reader) allowed(n tree.Node, perm int32) bool {
	id := r.t.ACLID(n)
	return id == tree.OpenACL || r.e.acls.Get(id, r.t.ACLByID(id)).Allows(perm, r.c.IDs())
}

func (r *reader) getData(b []byte, d *jute.Decoder) ([]byte, proto.Code) {
	path, watched := nodePath(d), d.Bool()
	if d.Err() != nil {
		return b, proto.MarshallingError
	}
	n, code := r.find(path, proto.PermRead)
	if code != proto.OK {
		return b, code
	}
	if watched && !r.multi {
		r.e.Watches.Add(r.c.Watcher, path, watch.Data)
	}
	data := r.t.Data(n)
	r.visits.add(path, len(data)+proto.StatLen)
	b = jute.AppendBuffer(b, data)
	return r.t.AppendStat(b, n), proto.OK
}

func (r *reader) exists(b []byte, d *jute.Decoder) ([]byte, proto.Code) {
	path, watched := nodePath(d), d.Bool()
	if d.Err() != nil {
		return b, proto.MarshallingError
	}
	if strings.IndexByte(path, 0) >= 0 {
		return b, proto.BadArguments
	}
	n, code := r.find(path, proto.PermRead)
	if code == proto.NoAuth {
		return b, code
	}
	if watched {
		r.e.Watches.Add(r.c.Watcher, path, watch.Data)
	}
	if code != proto.OK {
		return b, code
	}
	r.visits.add(path, proto.StatLen)
	return r.t.AppendStat(b, n), proto.OK
}

func (r *reader) getChildren(b []byte, d *jute.Decoder, stat bool) ([]byte, proto.Code) {
	path, watched := nodePath(d), d.Bool()
	if d.Err() != nil {
		return b, proto.MarshallingError
	}
	n, code := r.find(path, proto.PermRead)
	if code != proto.OK {
		return b, code
	}
	if watched && !r.multi {
		r.e.Watches.Add(r.c.Watcher, path, watch.Child)
	}
	from := len(b)
	b = r.t.AppendChildren(b, n)
	r.visits.add(path, namesLen(len(b)-from, r.t.NumChildren(n))+proto.StatLen)
	if stat {
		b = r.t.AppendStat(b, n)
	}
	return b, proto.OK
}

// namesLen is the length of n names together that are encoded as a list.
func namesLen(list, n int) int { return list - 4*(n+1) }

func (r *reader) getACL(b []byte, d *jute.Decoder) ([]byte, proto.Code) {
	path := nodePath(d)
	if d.Err() != nil {
		return b, proto.MarshallingError
	}
	n, code := r.find(path, proto.PermRead|proto.PermAdmin)
	if code != proto.OK {
		return b, code
	}
	acl := r.t.ACLByID(r.t.ACLID(n))
	if !r.allowed(n, proto.PermAdmin) {
		acl = auth.MaskDigests(acl)
	}
	return r.t.AppendStat(proto.AppendACLs(b, acl), n), proto.OK
}

func (r *reader) getAllChildrenNumber(b []byte, d *jute.Decoder) ([]byte, proto.Code) {
	path := nodePath(d)
	if d.Err() != nil {
		return b, proto.MarshallingError
	}
	n, code := r.find(path, proto.PermRead)
	if code != proto.OK {
		return b, code
	}
	count := r.t.AllChildren(n)
	if path == "" {
		count++ // Apache's server counts the root among its own children if it is called so
	}
	return jute.AppendInt(b, int32(count)), proto.OK
}

func (r *reader) getEphemerals(b []byte, d *jute.Decoder) ([]byte, proto.Code) {
	prefix := d.AliasString()
	if d.Err() != nil {
		return b, proto.MarshallingError
	}
	// Java's idea of blank: everything up to the space, nothing beyond it.
	if t := strings.TrimFunc(prefix, func(r rune) bool { return r <= ' ' }); t == "" || t == "/" {
		prefix = ""
	}
	mark := len(b)
	b = jute.AppendInt(b, 0)
	count := int32(0)
	var path []byte
	for n := range r.t.Ephemerals(r.c.Session.ID()) {
		path = r.t.Path(path[:0], n)
		if strings.HasPrefix(jute.Alias(path), prefix) {
			b = jute.AppendBuffer(b, path)
			count++
		}
	}
	jute.PutInt(b, mark, count)
	return b, proto.OK
}

// longestMultiRead bounds the reply to one multiRead, in bytes: a short request
// can ask for the same long znode any number of times.
const longestMultiRead = 64 << 20

// multiRead answers several reads; one that is refused does not affect the
// others.
func (r *reader) multiRead(b []byte, d *jute.Decoder) ([]byte, proto.Code) {
	r.multi = true
	defer func() { r.multi = false }()
	for d.Err() == nil {
		var h proto.MultiHeader
		if h.Decode(d); h.Done {
			break
		}
		if h.Type != proto.OpGetData && h.Type != proto.OpGetChildren {
			return b, proto.MarshallingError
		}
		if len(b)-r.c.frame > longestMultiRead {
			return b, proto.BadArguments
		}
		mark := len(b)
		b = proto.MultiHeader{Type: h.Type}.Append(b)
		body, code := r.body(b, h.Type, d)
		if code != proto.OK {
			body = proto.MultiHeader{Type: proto.OpError, Err: code}.Append(b[:mark])
			body = binary.BigEndian.AppendUint32(body, uint32(code))
		}
		b = body
	}
	return proto.AppendMultiEnd(b), proto.OK
}

func (r *reader) whoAmI(b []byte) []byte {
	mark := len(b)
	b = jute.AppendInt(b, 0)
	count := int32(0)
	for _, id := range r.c.IDs() {
		b = jute.AppendString(b, id.Scheme)
		b = jute.AppendString(b, r.e.Auth.UserName(id))
		count++
	}
	jute.PutInt(b, mark, count)
	return b
}
