package tree

import (
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
)

// model is the state machine written down as plainly as possible: a map from
// paths to znodes, after the rules of Apache's DataTree.
type model struct {
	opt    Options
	nodes  map[string]*modelNode // the root is ""
	order  map[string][]string   // names of children, oldest first
	owned  map[int64][]string    // by owner, oldest first; all kinds
	quotas map[string]bool
	zxid   int64
}

type modelNode struct {
	data []byte
	acl  string // encoded
	st   proto.StatPersisted
}

func newModel(opt Options) *model {
	m := &model{opt: opt, nodes: map[string]*modelNode{}, order: map[string][]string{}, owned: map[int64][]string{}, quotas: map[string]bool{}}
	open := string(openText)
	m.nodes[""] = &modelNode{data: []byte{}, acl: open}
	m.put("/zookeeper", &modelNode{data: []byte{}, acl: open})
	m.put("/zookeeper/quota", &modelNode{data: []byte{}, acl: open})
	m.put("/zookeeper/config", &modelNode{data: []byte{}, acl: string(proto.AppendACLs(nil, readACL())),
		st: proto.StatPersisted{Aversion: -1}})
	return m
}

func splitPath(path string) (string, string) {
	i := strings.LastIndexByte(path, '/')
	return path[:i], path[i+1:]
}

func (m *model) put(path string, n *modelNode) {
	parent, name := splitPath(path)
	m.nodes[path] = n
	m.order[parent] = append(m.order[parent], name)
	if n.st.EphemeralOwner != 0 {
		m.owned[n.st.EphemeralOwner] = append(m.owned[n.st.EphemeralOwner], path)
	}
}

func without(list []string, s string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(x string) bool { return x == s })
}

func (m *model) drop(path string) {
	parent, name := splitPath(path)
	owner := m.nodes[path].st.EphemeralOwner
	delete(m.nodes, path)
	m.order[parent] = without(m.order[parent], name)
	if owner != 0 {
		if m.owned[owner] = without(m.owned[owner], path); len(m.owned[owner]) == 0 {
			delete(m.owned, owner)
		}
	}
}

func (m *model) clone() *model {
	c := &model{opt: m.opt, nodes: map[string]*modelNode{}, order: map[string][]string{}, owned: map[int64][]string{},
		quotas: maps.Clone(m.quotas), zxid: m.zxid}
	for p, n := range m.nodes {
		copied := *n
		c.nodes[p] = &copied
	}
	for p, o := range m.order {
		c.order[p] = slices.Clone(o)
	}
	for o, p := range m.owned {
		c.owned[o] = slices.Clone(p)
	}
	return c
}

func (m *model) find(path string) *modelNode {
	if path == "/" {
		path = ""
	}
	return m.nodes[path]
}

func (m *model) stat(path string) proto.Stat {
	n := m.find(path)
	if path == "/" {
		path = ""
	}
	kids := int32(len(m.order[path]))
	st := proto.Stat{Czxid: n.st.Czxid, Mzxid: n.st.Mzxid, Ctime: n.st.Ctime, Mtime: n.st.Mtime, Version: n.st.Version,
		Cversion: 2*n.st.Cversion - kids, Aversion: n.st.Aversion, DataLength: int32(len(n.data)), NumChildren: kids,
		Pzxid: n.st.Pzxid}
	if m.opt.kindOf(n.st.EphemeralOwner) == kindSession {
		st.EphemeralOwner = n.st.EphemeralOwner
	}
	return st
}

// done is what applying should report.
type done struct {
	code    proto.Code
	stat    *proto.Stat
	changes []modelChange
	multi   []done
}

type modelChange struct {
	typ  proto.EventType
	path string
	acl  string
}

func rootName(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

func (m *model) apply(tx *txn.Txn) done {
	var d done
	switch tx.Header.Type {
	case proto.OpMulti:
		d = m.multi(tx)
	case proto.OpCloseSession:
		for _, p := range tx.Paths {
			d.changes = append(d.changes, m.delete(p, tx.Zxid).changes...)
		}
		for len(m.owned[tx.ClientID]) > 0 && m.opt.kindOf(tx.ClientID) == kindSession {
			d.changes = append(d.changes, m.delete(m.owned[tx.ClientID][0], tx.Zxid).changes...)
		}
	default:
		d = m.one(tx, &tx.Body)
	}
	m.zxid = max(m.zxid, tx.Zxid)
	return d
}

func (m *model) multi(tx *txn.Txn) done {
	var d done
	bad := slices.IndexFunc(tx.Subs, func(b txn.Body) bool { return b.Type == proto.OpError })
	for i := range tx.Subs {
		sub := done{}
		switch {
		case bad < 0:
			sub = m.one(tx, &tx.Subs[i])
		case tx.Subs[i].Type == proto.OpError:
			sub.code = tx.Subs[i].Err
		case i > bad:
			sub.code = proto.RuntimeInconsistency
		}
		if d.code == proto.OK {
			d.code = sub.code
		}
		d.changes = append(d.changes, sub.changes...)
		d.multi = append(d.multi, sub)
	}
	return d
}

func (m *model) one(tx *txn.Txn, b *txn.Body) done {
	switch b.Type {
	case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
		owner := int64(0)
		switch {
		case b.Type == proto.OpCreateContainer:
			owner = proto.ContainerOwner
		case b.Type == proto.OpCreateTTL:
			owner = proto.TTLOwner(b.TTL)
		case b.Ephemeral:
			owner = tx.ClientID
		}
		return m.create(tx, b, owner)
	case proto.OpDelete, proto.OpDeleteContainer:
		return m.delete(b.Path, tx.Zxid)
	case proto.OpSetData, proto.OpReconfig:
		n := m.find(b.Path)
		if n == nil {
			return done{code: proto.NoNode}
		}
		grown := len(b.Data) - len(n.data)
		n.data, n.st.Mtime, n.st.Mzxid, n.st.Version = b.Data, tx.Time, tx.Zxid, b.Version
		st := m.stat(b.Path)
		m.used(b.Path, grown, 0)
		return done{stat: &st, changes: []modelChange{{proto.EventNodeDataChanged, b.Path, n.acl}}}
	case proto.OpSetACL:
		n := m.find(b.Path)
		if n == nil {
			return done{code: proto.NoNode}
		}
		n.acl, n.st.Aversion = string(b.ACL), b.Version
		st := m.stat(b.Path)
		return done{stat: &st}
	case proto.OpError:
		return done{code: b.Err}
	}
	return done{}
}

func (m *model) create(tx *txn.Txn, b *txn.Body, owner int64) done {
	parentPath, name := splitPath(b.Path)
	parent := m.nodes[parentPath]
	if parent == nil {
		return done{code: proto.NoNode}
	}
	cversion := b.ParentCversion
	if cversion == -1 {
		cversion = parent.st.Cversion + 1
	}
	if cversion > parent.st.Cversion {
		parent.st.Cversion, parent.st.Pzxid = cversion, tx.Zxid
	}
	if n := m.nodes[b.Path]; n != nil {
		n.acl = string(b.ACL)
		return done{code: proto.NodeExists}
	}
	m.put(b.Path, &modelNode{data: b.Data, acl: string(b.ACL), st: proto.StatPersisted{Czxid: tx.Zxid, Mzxid: tx.Zxid,
		Pzxid: tx.Zxid, Ctime: tx.Time, Mtime: tx.Time, EphemeralOwner: owner}})
	st := m.stat(b.Path)
	if quota, ok := strings.CutPrefix(parentPath, QuotaPath); ok && name == limitsName && quota != "" {
		m.quotas[quota] = true
	} else if ok && name == statsName {
		m.recount(quota)
	}
	m.used(b.Path, len(b.Data), 1)
	return done{stat: &st, changes: []modelChange{{proto.EventNodeCreated, b.Path, string(b.ACL)},
		{proto.EventNodeChildrenChanged, rootName(parentPath), parent.acl}}}
}

func (m *model) delete(path string, zxid int64) done {
	parentPath, name := splitPath(path)
	parent := m.nodes[parentPath]
	if parent == nil {
		return done{code: proto.NoNode}
	}
	parent.st.Pzxid = max(parent.st.Pzxid, zxid)
	n := m.nodes[path]
	if n == nil {
		return done{code: proto.NoNode}
	}
	for _, kid := range slices.Clone(m.order[path]) {
		m.delete(path+"/"+kid, zxid)
	}
	delete(m.order, path)
	m.drop(path)
	if quota, ok := strings.CutPrefix(parentPath, QuotaPath); ok && name == limitsName {
		delete(m.quotas, quota)
	}
	m.used(path, -len(n.data), -1)
	return done{changes: []modelChange{{proto.EventNodeDeleted, path, n.acl},
		{proto.EventNodeChildrenChanged, rootName(parentPath), parent.acl}}}
}

func (m *model) quotaOf(path string) string {
	best := ""
	for q := range m.quotas {
		if (path == q || strings.HasPrefix(path, q+"/")) && len(q) > len(best) {
			best = q
		}
	}
	return best
}

func (m *model) used(path string, bytes, count int) {
	quota := m.quotaOf(path)
	n := m.nodes[QuotaPath+quota+"/"+statsName]
	if quota == "" || n == nil {
		return
	}
	q := ParseQuota(n.data)
	q.Bytes += int64(bytes)
	q.Count += int64(count)
	n.data = q.Append(nil)
}

func (m *model) recount(path string) {
	q := Quota{CountHardLimit: -1, ByteHardLimit: -1}
	for p, n := range m.nodes {
		if m.nodes[path] != nil && (p == path || strings.HasPrefix(p, path+"/")) {
			q.Count++
			q.Bytes += int64(len(n.data))
		}
	}
	m.nodes[QuotaPath+path+"/"+statsName].data = q.Append(nil)
}

// digest is computed from scratch.
func (m *model) digest() uint64 {
	sum := uint64(0)
	for p, n := range m.nodes {
		if !strings.HasPrefix(p, "/zookeeper/") {
			sum += slowDigest(p, n.data, &n.st)
		}
	}
	return sum
}

// walk lists all paths as a View should show them.
func (m *model) walk(path string) []string {
	all := []string{path}
	for _, kid := range m.order[path] {
		all = append(all, m.walk(path+"/"+kid)...)
	}
	return all
}

// existing lists all paths, sorted.
func (m *model) existing() []string {
	all := slices.Collect(maps.Keys(m.nodes))
	sort.Strings(all)
	return all
}
