package tree

import (
	"bytes"
	"fmt"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// OpenACL is the number of the list that lets everybody do everything,
// world:anyone:cdrwa. Snapshots call it OpenACLID.
const OpenACL uint32 = 0

// OpenACLID is what snapshots call the list that lets everybody do everything.
// They do not store it.
const OpenACLID int64 = -1

// acls numbers the access control lists that znodes have. A list's number is
// its place; it is given to another list once no znode has it, which happens at
// the start of the transaction after the one that left it unused, so that what
// a Result says can still be looked up, and while no View lives.
type acls struct {
	lists  []*aclList // constant in each place while a View lives
	byText map[string]uint32
	idle   []uint32 // numbers that no znode had at some time of a transaction
	vacant []uint32
	last   uint32 // number of the list that was asked for last
}

type aclList struct {
	entries []proto.ACL
	text    string // encoded
	uses    int
	idle    bool // listed in acls.idle
}

var openText = proto.AppendACLs(nil, proto.OpenACL())

func newACLs() acls {
	open := &aclList{entries: proto.OpenACL(), text: string(openText), uses: 1}
	return acls{lists: []*aclList{open}, byText: map[string]uint32{open.text: OpenACL}}
}

// ACLByID is the access control list with this number. It must not be changed.
// A number from a Result is good until the next Apply.
func (t *Tree) ACLByID(id uint32) []proto.ACL { return t.acls.lists[id].entries }

// ACLCount is how many different access control lists znodes have, that which
// lets everybody do everything not counted.
func (t *Tree) ACLCount() int { return len(t.acls.byText) - 1 }

// intern is the number of the list with this encoding, with one more use. A
// missing or null list lets everybody do everything, as in Apache's servers. It
// fails, without any use, on what is no encoded list.
//
// While a View lives, no number is given to another list.
func (a *acls) intern(text []byte, viewed bool) (uint32, error) {
	if bytes.Equal(text, openText) || len(text) == 0 {
		return OpenACL, nil
	}
	if l := a.lists[a.last]; l != nil && l.text == string(text) {
		l.uses++
		return a.last, nil
	}
	id, ok := a.byText[string(text)]
	if !ok {
		d := jute.NewDecoder(text)
		entries := proto.DecodeACLs(&d)
		if d.Err() != nil || d.Len() != 0 {
			return 0, fmt.Errorf("access control list of %d bytes: %w", len(text), jute.ErrMalformed)
		}
		if entries == nil {
			return OpenACL, nil
		}
		id = a.add(&aclList{entries: entries, text: string(text)}, viewed)
	}
	a.last = id
	a.lists[id].uses++
	return id, nil
}

func (a *acls) add(l *aclList, viewed bool) uint32 {
	id := uint32(len(a.lists))
	if k := len(a.vacant); k > 0 && !viewed {
		id = a.vacant[k-1]
		a.vacant = a.vacant[:k-1]
		a.lists[id] = l
	} else {
		a.lists = append(a.lists, l)
	}
	a.byText[l.text] = id
	return id
}

// release takes one use back.
func (a *acls) release(id uint32) {
	if id == OpenACL {
		return
	}
	l := a.lists[id]
	if l.uses--; l.uses == 0 && !l.idle {
		l.idle = true
		a.idle = append(a.idle, id)
	}
}

// sweep forgets the lists that no znode has.
func (a *acls) sweep() {
	for _, id := range a.idle {
		l := a.lists[id]
		l.idle = false
		if l.uses == 0 {
			delete(a.byText, l.text)
			a.lists[id] = nil
			a.vacant = append(a.vacant, id)
		}
	}
	a.idle = a.idle[:0]
}

// use takes one more use of a list.
func (a *acls) use(id uint32) {
	if id != OpenACL {
		a.lists[id].uses++
	}
}
