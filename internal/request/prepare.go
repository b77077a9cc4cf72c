package request

import (
	"strconv"

	"github.com/quollhq/quoll/internal/auth"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/session"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/txn"
)

// acl is a znode's access control list, ready to be checked; nil is one that
// lets everybody do everything.
type acl = *auth.Compiled

var openACL = proto.AppendACLs(nil, proto.OpenACL())

// preparer validates requests against what the tree will be once everything
// in flight is applied, and makes transactions of them. It is the writer's,
// which holds the tree's read lock.
type preparer struct {
	e       *Engine
	overlay *overlay
	zxid    int64  // the last one given out
	digest  uint64 // the tree's after everything in flight
	now     int64  // milliseconds since 1970, of the batch being prepared

	// The request being prepared.
	asker   *session.Session // nil if it is not known, or if nobody asked
	owner   session.Owner    // through whom the request came; 0 for the server's own
	session int64
	ids     []auth.ID
	refusal proto.Code // of ephemerals, unless OK
	body    txn.Body   // what it becomes
	known   tree.Known // of its znode, or of the parent of the one it creates

	scratch, parentScratch change
	pathBuf                []byte
	aclBuf                 []byte
}

// lookup is the state of the znode at path, nil if there is none. The result
// is an entry of the overlay, or scratch filled from the tree.
func (p *preparer) lookup(path string, scratch *change) *change {
	if path == "/" {
		path = ""
	}
	if c := p.overlay.find(path); c != nil {
		if !c.exists {
			return nil
		}
		return c
	}
	t := p.e.Tree
	n := t.Find(path)
	if n == 0 {
		return nil
	}
	m := t.Meta(n)
	*scratch = change{
		exists: true, stat: m.StatPersisted, crc: m.PathDataCRC,
		numChildren: m.NumChildren, dataLen: m.DataLength, node: n,
	}
	if m.ACL != tree.OpenACL {
		scratch.acl = p.e.acls.Get(m.ACL, t.ACLByID(m.ACL))
	}
	return scratch
}

// change enters a changed state of path in the overlay. It subtracts the
// znode's share from the predicted digest; settle adds the new one.
func (p *preparer) change(path string, was *change) *change {
	if path == "/" {
		path = ""
	}
	if p.e.DigestEnabled && was != nil && digested(path) {
		p.digest -= was.digest()
	}
	return p.overlay.put(path, p.zxid, was)
}

func (p *preparer) settle(path string, c *change) {
	if p.e.DigestEnabled && digested(path) {
		p.digest += c.digest()
	}
}

// digested tells whether the znode at path counts in the tree's digest.
func digested(path string) bool {
	const subtree = "/zookeeper/"
	return len(path) < len(subtree) || path[:len(subtree)] != subtree
}

func (p *preparer) allowed(a acl, perm int32) bool {
	return a == nil || a.Allows(perm, p.ids)
}

// prepare makes p.body of one change that a request asks for. A refusal is
// the code other than OK; then nothing has changed. MarshallingError is the
// refusal of what cannot be decoded, and of a path that is null.
func (p *preparer) prepare(op proto.Op, d *jute.Decoder) proto.Code {
	p.body, p.known = txn.Body{Type: op}, tree.Known{}
	switch op {
	case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
		var r proto.CreateRequest
		if r.Decode(d, op); d.Err() != nil {
			return proto.MarshallingError
		}
		return p.create(op, &r)
	case proto.OpDelete:
		path, version := d.Buffer(), d.Int()
		if d.Err() != nil {
			return proto.MarshallingError
		}
		return p.delete(path, version)
	case proto.OpDeleteContainer:
		path := nodePath(d)
		if d.Err() != nil {
			return proto.MarshallingError
		}
		return p.deleteContainer(path)
	case proto.OpSetData:
		path, data, version := d.AliasString(), d.Buffer(), d.Int()
		if d.Err() != nil {
			return proto.MarshallingError
		}
		return p.setData(path, data, version)
	case proto.OpSetACL:
		path := d.AliasString()
		raw := proto.SkipACLs(d)
		version := d.Int()
		if d.Err() != nil {
			return proto.MarshallingError
		}
		return p.setACL(path, raw, version)
	case proto.OpCheck:
		path, version := d.AliasString(), d.Int()
		if d.Err() != nil {
			return proto.MarshallingError
		}
		return p.check(path, version)
	case proto.OpReconfig:
		return p.reconfig(d)
	}
	return proto.MarshallingError
}

func (p *preparer) checkSession() proto.Code {
	switch {
	case p.owner == 0:
		return proto.OK
	case p.asker == nil:
		return p.strange()
	}
	return p.asker.Check(p.owner)
}

// checkOwner is checkSession for who is to own an ephemeral znode: a session of
// the replicated state, or on its way there.
func (p *preparer) checkOwner() proto.Code {
	switch {
	case p.refusal != proto.OK:
		return p.refusal
	case p.owner != 0 && (p.asker == nil || p.asker.Local()):
		return proto.SessionExpired
	}
	return p.checkSession()
}

func (p *preparer) create(op proto.Op, r *proto.CreateRequest) proto.Code {
	if code := p.checkCreate(op, r); code != proto.OK {
		return code
	}
	if r.NullPath {
		return proto.MarshallingError
	}
	path := r.Path
	parentPath, code := parentOf(path)
	if code != proto.OK {
		return code
	}
	encoded, compiled, code := p.fixACL(r.ACL, len(r.Path)+len(r.Data))
	if code != proto.OK {
		return code
	}
	parent := p.lookup(parentPath, &p.parentScratch)
	if parent == nil {
		return proto.NoNode
	}
	if !p.allowed(parent.acl, proto.PermCreate) {
		return proto.NoAuth
	}
	if r.Flags == proto.FlagPersistentSequential || r.Flags == proto.FlagEphemeralSequential ||
		r.Flags == proto.FlagPersistentSequentialTTL {
		path = p.sequential(path, parent.stat.Cversion)
	}
	if !validPath(path) {
		return proto.BadArguments
	}
	if p.lookup(path, &p.scratch) != nil {
		return proto.NodeExists
	}
	if p.e.Tree.Ephemeral(parent.stat.EphemeralOwner) {
		return proto.NoChildrenForEphemerals
	}
	if code := p.checkQuota(path, int64(len(r.Data)), 1); code != proto.OK {
		return code
	}
	p.enterCreate(op, path, parentPath, parent, r, compiled)
	p.body.ACL = encoded
	return proto.OK
}

// enterCreate notes in the overlay what creating does to the znode and its
// parent, and fills p.body.
func (p *preparer) enterCreate(op proto.Op, path, parentPath string, parent *change, r *proto.CreateRequest, a acl) {
	owner := int64(0)
	switch {
	case op == proto.OpCreateContainer:
		owner = proto.ContainerOwner
	case op == proto.OpCreateTTL:
		owner = proto.TTLOwner(r.TTL)
	case r.Flags == proto.FlagEphemeral || r.Flags == proto.FlagEphemeralSequential:
		owner = p.session
	}
	up := p.change(parentPath, parent)
	up.stat.Cversion++
	up.stat.Pzxid = p.zxid
	up.numChildren++
	p.settle(parentPath, up)
	cversion := up.stat.Cversion

	c := p.change(path, nil)
	c.exists, c.node = true, 0
	c.stat = proto.StatPersisted{}
	c.stat.Czxid, c.stat.Mzxid, c.stat.Pzxid, c.stat.Ctime, c.stat.Mtime = p.zxid, p.zxid, p.zxid, p.now, p.now
	c.stat.EphemeralOwner = owner
	c.crc = tree.PrefixCRC(path, r.Data)
	c.numChildren, c.dataLen = 0, int32(len(r.Data))
	c.acl = a
	p.settle(path, c)

	p.known = tree.Known{Node: up.node, CRC: c.crc}
	b := p.begin(op, path)
	b.Data, b.ParentCversion, b.TTL = r.Data, cversion, r.TTL
	b.Ephemeral = owner != 0 && owner == p.session && op != proto.OpCreateContainer && op != proto.OpCreateTTL
}

// begin empties p.body for what changes path. It is filled in place: processors wait for a
// struct that is copied right after it was made.
func (p *preparer) begin(op proto.Op, path string) *txn.Body {
	b := &p.body
	*b = txn.Body{}
	b.Type, b.Path = op, path
	return b
}

// checkCreate checks what does not depend on the tree.
func (p *preparer) checkCreate(op proto.Op, r *proto.CreateRequest) proto.Code {
	if r.Flags < proto.FlagPersistent || r.Flags > proto.FlagPersistentSequentialTTL {
		return proto.BadArguments
	}
	ttlMode := r.Flags == proto.FlagPersistentTTL || r.Flags == proto.FlagPersistentSequentialTTL
	ttl := int64(-1)
	if op == proto.OpCreateTTL {
		ttl = r.TTL
	}
	switch {
	case ttlMode && !p.e.ExtendedTypes:
		return proto.Unimplemented
	case ttlMode && (ttl <= 0 || ttl > proto.MaxTTL), !ttlMode && ttl >= 0:
		return proto.BadArguments
	case op == proto.OpCreateTTL && !ttlMode:
		return proto.BadArguments // Apache's server fails while applying it
	}
	if r.Flags == proto.FlagEphemeral || r.Flags == proto.FlagEphemeralSequential {
		return p.checkOwner()
	}
	return p.checkSession()
}

// sequential appends the parent's child version to path, in memory that lasts
// until the next request.
func (p *preparer) sequential(path string, cversion int32) string {
	b := append(p.pathBuf[:0], path...)
	var digits [12]byte
	s := strconv.AppendInt(digits[:0], int64(cversion), 10)
	if cversion < 0 {
		b = append(b, '-')
		s = s[1:]
	}
	width := 10 - len(s)
	if cversion < 0 {
		width--
	}
	for range max(width, 0) {
		b = append(b, '0')
	}
	b = append(b, s...)
	p.pathBuf = b
	return jute.Alias(b)
}

// recordSlack is what a transaction is longer by than the strings in it: its
// headers, numbers, lengths, the number of a sequential znode, its digest.
const recordSlack = 512

// fixACL is the list to store for the raw one that a request carries, beside so
// many bytes of path and data. Each "auth" in it becomes all identities of the
// client, so that it can outgrow a record.
func (p *preparer) fixACL(raw []byte, beside int) (encoded []byte, compiled acl, code proto.Code) {
	if string(raw) == string(openACL) {
		return openACL, nil, proto.OK
	}
	d := jute.NewDecoder(raw)
	list, err := p.e.Auth.FixupACL(proto.DecodeACLs(&d), p.ids)
	if err != nil || lacksIdentity(raw) {
		return nil, nil, proto.InvalidACL
	}
	if n := proto.ACLsLen(list); n > len(raw) && n+beside+recordSlack > p.e.MaxEntry {
		return nil, nil, proto.InvalidACL
	}
	p.aclBuf = proto.AppendACLs(p.aclBuf[:0], list)
	return p.aclBuf, p.e.Auth.Compile(list), proto.OK
}

// lacksIdentity tells whether an entry of a raw list has null as its identity,
// which DecodeACLs does not tell from an empty one. Only "auth" needs none.
func lacksIdentity(raw []byte) bool {
	d := jute.NewDecoder(raw)
	for range d.Count(12) {
		d.Int()
		scheme, id := d.Buffer(), d.Buffer()
		if id == nil && string(scheme) != "auth" {
			return true
		}
	}
	return false
}

func (p *preparer) delete(name []byte, version int32) proto.Code {
	if code := p.checkSession(); code != proto.OK {
		return code
	}
	if name == nil {
		return proto.MarshallingError
	}
	path := jute.Alias(name)
	parentPath, code := parentOf(path)
	if code != proto.OK || special(path) {
		return proto.BadArguments
	}
	parent := p.lookup(parentPath, &p.parentScratch)
	if parent == nil {
		return proto.NoNode
	}
	if !p.allowed(parent.acl, proto.PermDelete) {
		return proto.NoAuth
	}
	c := p.lookup(path, &p.scratch)
	if c == nil {
		return proto.NoNode
	}
	if version != -1 && version != c.stat.Version {
		return proto.BadVersion
	}
	if c.numChildren > 0 {
		return proto.NotEmpty
	}
	p.enterDelete(path, c, parentPath, parent)
	p.body = txn.Body{Type: proto.OpDelete, Path: path}
	return proto.OK
}

func (p *preparer) deleteContainer(path string) proto.Code {
	parentPath, code := parentOf(path)
	if code != proto.OK || special(path) {
		return proto.BadArguments
	}
	c := p.lookup(path, &p.scratch)
	if c == nil {
		return proto.NoNode
	}
	if c.numChildren > 0 {
		return proto.NotEmpty
	}
	if p.e.Tree.Ephemeral(c.stat.EphemeralOwner) {
		return proto.BadVersion
	}
	parent := p.lookup(parentPath, &p.parentScratch)
	if parent == nil {
		return proto.NoNode
	}
	p.enterDelete(path, c, parentPath, parent)
	p.body = txn.Body{Type: proto.OpDeleteContainer, Path: path}
	return proto.OK
}

// reap is deleteContainer for a znode that was seen to be due some time ago: it
// may have been set since, or removed and created anew as whatever.
func (p *preparer) reap(path string, seen *tree.Candidate) proto.Code {
	if c := p.lookup(path, &p.scratch); c != nil &&
		(c.stat.Czxid != seen.Czxid || !seen.Container && c.stat.Mtime != seen.Mtime) {
		return proto.BadVersion
	}
	return p.deleteContainer(path)
}

func (p *preparer) enterDelete(path string, c *change, parentPath string, parent *change) {
	up := p.change(parentPath, parent)
	up.stat.Pzxid = p.zxid
	up.numChildren--
	p.settle(parentPath, up)
	gone := p.change(path, c)
	gone.exists, gone.node = false, 0
	gone.acl = nil
}

// existing is the znode at path if the client has perm on it. It is good until
// the next look-up into p.scratch. A path that may not name a znode is refused;
// one that names one need not be looked at, but that of the root, which the tree
// also finds under no name at all.
func (p *preparer) existing(path string, perm int32) (*change, proto.Code) {
	c := p.lookup(path, &p.scratch)
	switch {
	case (c == nil || path == "") && !validPath(path):
		return nil, proto.BadArguments
	case c == nil:
		return nil, proto.NoNode
	}
	if !p.allowed(c.acl, perm) {
		return nil, proto.NoAuth
	}
	return c, proto.OK
}

func (p *preparer) setData(path string, data []byte, version int32) proto.Code {
	if code := p.checkSession(); code != proto.OK {
		return code
	}
	c, code := p.existing(path, proto.PermWrite)
	if code != proto.OK {
		return code
	}
	if code := p.checkQuota(path, int64(len(data))-int64(c.dataLen), 0); code != proto.OK {
		return code
	}
	if version != -1 && version != c.stat.Version {
		return proto.BadVersion
	}
	c = p.change(path, c)
	c.stat.Version = nextVersion(c.stat.Version)
	c.stat.Mtime, c.stat.Mzxid = p.now, p.zxid
	c.crc = tree.PrefixCRC(path, data)
	c.dataLen = int32(len(data))
	p.settle(path, c)
	p.known = tree.Known{Node: c.node, CRC: c.crc}
	b := p.begin(proto.OpSetData, path)
	b.Data, b.Version = data, c.stat.Version
	return proto.OK
}

// nextVersion counts up and passes over -1, which in requests means any
// version.
func nextVersion(v int32) int32 {
	if v++; v == -1 {
		return 0
	}
	return v
}

func (p *preparer) setACL(path string, raw []byte, version int32) proto.Code {
	if code := p.checkSession(); code != proto.OK {
		return code
	}
	if !validPath(path) {
		return proto.BadArguments
	}
	encoded, compiled, code := p.fixACL(raw, len(path))
	if code != proto.OK {
		return code
	}
	c, code := p.existing(path, proto.PermAdmin)
	if code != proto.OK {
		return code
	}
	if version != -1 && version != c.stat.Aversion {
		return proto.BadVersion
	}
	c = p.change(path, c)
	c.stat.Aversion = nextVersion(c.stat.Aversion)
	c.acl = compiled
	p.settle(path, c)
	p.body = txn.Body{Type: proto.OpSetACL, Path: path, ACL: encoded, Version: c.stat.Aversion}
	return proto.OK
}

func (p *preparer) check(path string, version int32) proto.Code {
	if code := p.checkSession(); code != proto.OK {
		return code
	}
	c, code := p.existing(path, proto.PermRead)
	if code != proto.OK {
		return code
	}
	if version != -1 && version != c.stat.Version {
		return proto.BadVersion
	}
	p.body = txn.Body{Type: proto.OpCheck, Path: path, Version: nextVersion(c.stat.Version)}
	return proto.OK
}

// reconfig is refused by a server that is no ensemble.
func (p *preparer) reconfig(d *jute.Decoder) proto.Code {
	var r proto.ReconfigRequest
	if r.Decode(d); d.Err() != nil {
		return proto.MarshallingError
	}
	if !p.e.ReconfigEnabled {
		return p.refuseReconfig("reconfigEnabled is not set", proto.ReconfigDisabled)
	}
	if code := p.checkSession(); code != proto.OK {
		return code
	}
	if p.e.Ensemble == nil {
		return proto.Unimplemented
	}
	text, code := p.e.Ensemble.Reconfigure(&r, p.zxid)
	if code != proto.OK {
		return code
	}
	c, code := p.existing(tree.ConfigPath, proto.PermWrite)
	if code != proto.OK {
		return p.refuseReconfig("the client may not write "+tree.ConfigPath, code)
	}
	p.e.Logger.Info("a reconfiguration is proposed", "configuration", string(text), "session", "0x"+strconv.FormatUint(uint64(p.session), 16))
	c = p.change(tree.ConfigPath, c)
	c.stat.Version, c.stat.Mtime, c.stat.Mzxid = configVersion, p.now, p.zxid
	c.dataLen = int32(len(text))
	p.settle(tree.ConfigPath, c)
	p.known = tree.Known{Node: c.node}
	p.body = txn.Body{Type: proto.OpReconfig, Path: tree.ConfigPath, Data: text, Version: configVersion}
	return proto.OK
}

// refuseReconfig logs why a change of the members is refused.
func (p *preparer) refuseReconfig(why string, code proto.Code) proto.Code {
	p.e.Logger.Warn("a reconfiguration was refused", "error", why, "session", "0x"+strconv.FormatUint(uint64(p.session), 16))
	return code
}

// closeSession deletes what the session owns, in flight or not.
func (p *preparer) closeSession(id int64) {
	owned := p.ownedPaths(id)
	for _, path := range owned {
		parentPath, _ := parentOf(path)
		parent := p.lookup(parentPath, &p.parentScratch)
		c := p.lookup(path, &p.scratch)
		if parent == nil || c == nil {
			continue
		}
		p.enterDelete(path, c, parentPath, parent)
	}
	p.body = txn.Body{Type: proto.OpCloseSession}
	if p.e.CloseSessionTxn && encodedLen(owned) <= maxClosePaths {
		p.body.HasPaths, p.body.Paths = true, owned
	}
	p.e.Sessions.SetClosing(id)
}

// maxClosePaths is how many bytes of paths a closeSession transaction lists. A
// record longer than storage.DefaultMaxEntry might not be read by the next
// start; without the list, applying it deletes all that the session owns.
const maxClosePaths = storage.DefaultMaxEntry / 4

func encodedLen(paths []string) int {
	n := 0
	for _, path := range paths {
		n += 4 + len(path)
	}
	return n
}

// ownedPaths are the ephemerals of a session once everything in flight is
// applied.
func (p *preparer) ownedPaths(id int64) []string {
	var owned []string
	for n := range p.e.Tree.Ephemerals(id) {
		p.pathBuf = p.e.Tree.Path(p.pathBuf[:0], n)
		if p.overlay.find(jute.Alias(p.pathBuf)) == nil {
			owned = append(owned, string(p.pathBuf))
		}
	}
	p.overlay.each(func(c *change) {
		if c.exists && c.stat.EphemeralOwner == id {
			owned = append(owned, string(c.path))
		}
	})
	return owned
}

// checkQuota refuses what would exceed a hard limit of the quota that counts
// for path. As in Apache's server, it looks at what is applied: what is in
// flight is not counted.
func (p *preparer) checkQuota(path string, bytes, count int64) proto.Code {
	if !p.e.EnforceQuota || !p.e.Tree.HasQuotas() {
		return proto.OK
	}
	_, limits, stats, ok := p.e.Tree.QuotaFor(path)
	if !ok {
		return proto.OK
	}
	if count != 0 && limits.CountHardLimit > -1 && stats.Count+count > limits.CountHardLimit ||
		bytes != 0 && limits.ByteHardLimit > -1 && stats.Bytes+bytes > limits.ByteHardLimit {
		if p.e.QuotaExceeded != nil {
			p.e.QuotaExceeded(topNamespace(path))
		}
		return proto.QuotaExceeded
	}
	return proto.OK
}

// topNamespace is the first component of path.
func topNamespace(path string) string {
	if len(path) < 2 {
		return ""
	}
	for i := 1; i < len(path); i++ {
		if path[i] == '/' {
			return path[1:i]
		}
	}
	return path[1:]
}
