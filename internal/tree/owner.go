package tree

import (
	"github.com/quollhq/quoll/internal/proto"
)

// kind is what a znode's owner makes of it.
type kind uint8

const (
	kindPersistent kind = iota
	kindSession         // ephemeral
	kindContainer
	kindTTL
)

// kindOf tells what an owner means. Without extended types, what would mark a
// TTL is a session.
func (o *Options) kindOf(owner int64) kind {
	if owner == 0 {
		return kindPersistent
	}
	if o.ExtendedTypes {
		if o.Emulate353TTL && owner < 0 && owner != proto.ContainerOwner {
			return kindTTL
		}
		if _, ttl := proto.OwnerTTL(owner); ttl {
			return kindTTL
		}
	}
	if owner == proto.ContainerOwner {
		return kindContainer
	}
	return kindSession
}

// Ephemeral tells whether owner makes a znode an ephemeral. The caller
// holds the lock.
func (t *Tree) Ephemeral(owner int64) bool { return t.opt.kindOf(owner) == kindSession }

// owned is a list of extras, oldest first.
type owned struct {
	first, last uint32
	n           int
}

// owners lists the znodes that have an owner.
type owners struct {
	sessions   map[int64]owned
	ephemerals int // of all sessions
	containers owned
	ttls       owned
}

func newOwners() owners { return owners{sessions: make(map[int64]owned)} }

// own puts the extra number x, whose owner and node are set, on its list.
func (t *Tree) own(x uint32, e *extra) {
	switch t.opt.kindOf(e.owner) {
	case kindSession:
		l := t.owners.sessions[e.owner]
		t.append(&l, x, e)
		t.owners.sessions[e.owner] = l
		t.owners.ephemerals++
	case kindContainer:
		t.append(&t.owners.containers, x, e)
	case kindTTL:
		t.append(&t.owners.ttls, x, e)
	}
}

// disown takes an extra off its list.
func (t *Tree) disown(e *extra) {
	switch t.opt.kindOf(e.owner) {
	case kindSession:
		l := t.owners.sessions[e.owner]
		t.cut(&l, e)
		t.owners.ephemerals--
		if l.n == 0 {
			delete(t.owners.sessions, e.owner)
		} else {
			t.owners.sessions[e.owner] = l
		}
	case kindContainer:
		t.cut(&t.owners.containers, e)
	case kindTTL:
		t.cut(&t.owners.ttls, e)
	}
}

func (t *Tree) append(l *owned, x uint32, e *extra) {
	e.prev, e.next = l.last, 0
	if l.last != 0 {
		t.extraTable.edit(l.last).next = x
	} else {
		l.first = x
	}
	l.last = x
	l.n++
}

func (t *Tree) cut(l *owned, e *extra) {
	if e.prev != 0 {
		t.extraTable.edit(e.prev).next = e.next
	} else {
		l.first = e.next
	}
	if e.next != 0 {
		t.extraTable.edit(e.next).prev = e.prev
	} else {
		l.last = e.prev
	}
	l.n--
}

// EphemeralCount is how many ephemerals there are.
func (t *Tree) EphemeralCount() int { return t.owners.ephemerals }

// EphemeralOwners yields the sessions that have ephemerals and how many each
// has, in no order, until yield returns false.
func (t *Tree) EphemeralOwners(yield func(session int64, n int) bool) {
	for s, l := range t.owners.sessions {
		if !yield(s, l.n) {
			return
		}
	}
}

// Ephemerals yields the ephemerals of a session, oldest first, until yield
// returns false. The tree must not change meanwhile.
func (t *Tree) Ephemerals(session int64) func(yield func(Node) bool) {
	return func(yield func(Node) bool) { t.each(t.owners.sessions[session], yield) }
}

func (t *Tree) each(l owned, yield func(Node) bool) bool {
	for x := l.first; x != 0; {
		e := t.extra(x)
		if !yield(e.node) {
			return false
		}
		x = e.next
	}
	return true
}

// ContainerCount and TTLCount are how many containers and znodes with a time to
// live there are.
func (t *Tree) ContainerCount() int { return t.owners.containers.n }

// TTLCount is how many znodes with a time to live there are.
func (t *Tree) TTLCount() int { return t.owners.ttls.n }

// Candidate is a container or a znode with a time to live, with what decides
// whether it is due to be deleted.
type Candidate struct {
	Node        Node
	Container   bool
	TTL         int64 // milliseconds; 0 for a container
	Cversion    int32 // persisted; 0: never had children
	NumChildren int32
	Mtime       int64 // milliseconds since 1970
	Czxid       int64
}

// ContainerCandidates yields all containers, then all znodes with a time to
// live, each oldest first, until yield returns false.
func (t *Tree) ContainerCandidates(yield func(Candidate) bool) {
	one := func(n Node) bool {
		m := t.Meta(n)
		c := Candidate{Node: n, Container: t.opt.kindOf(m.EphemeralOwner) == kindContainer, Cversion: m.Cversion,
			NumChildren: m.NumChildren, Mtime: m.Mtime, Czxid: m.Czxid}
		if !c.Container {
			c.TTL = m.EphemeralOwner & proto.MaxTTL
		}
		return yield(c)
	}
	if t.each(t.owners.containers, one) {
		t.each(t.owners.ttls, one)
	}
}
