package tree

import (
	"encoding/binary"
	"math"
)

// Data is n's data, nil if it is null. It aliases the tree.
func (t *Tree) Data(n Node) []byte { return t.data(t.header(n).blob) }

// ACLID is the number of n's access control list, for ACLByID.
func (t *Tree) ACLID(n Node) uint32 { return t.header(n).acl }

// Parent is the parent of n; the root's is 0.
func (t *Tree) Parent(n Node) Node { return t.header(n).parent }

// NumChildren is how many children n has.
func (t *Tree) NumChildren(n Node) int {
	if d := t.dirOf(t.header(n)); d != nil {
		return int(d.children)
	}
	return 0
}

// Path appends the full path of n, "/" for the root.
func (t *Tree) Path(b []byte, n Node) []byte {
	if n == root {
		return append(b, '/')
	}
	return t.appendPath(b, n)
}

// appendPath appends the full path of n, nothing for the root.
func (v *version) appendPath(b []byte, n Node) []byte {
	total := 0
	for m := n; m != root; {
		h := v.header(m)
		total += 1 + v.nameLen(h.blob)
		m = h.parent
	}
	from := len(b)
	b = grow(b, total)
	end := from + total
	for m := n; m != root; {
		h := v.header(m)
		name := v.name(h.blob)
		end -= len(name)
		copy(b[end:], name)
		end--
		b[end] = '/'
		m = h.parent
	}
	return b
}

// AppendChildren appends the names of n's children, oldest first, as an encoded
// vector of strings.
func (t *Tree) AppendChildren(b []byte, n Node) []byte { return t.appendChildren(b, n) }

func (v *version) appendChildren(b []byte, n Node) []byte {
	d := v.dirOf(v.header(n))
	if d == nil {
		return append(b, 0, 0, 0, 0)
	}
	from := len(b)
	b = grow(b, v.childrenLen(d))
	at := b[from:]
	binary.BigEndian.PutUint32(at, d.children)
	at = at[4:]
	for c := d.first; c != 0; {
		ch := v.header(c)
		name := v.name(ch.blob)
		binary.BigEndian.PutUint32(at, uint32(len(name)))
		copy(at[4:], name)
		at = at[4+len(name):]
		c = ch.next
	}
	return b
}

// childrenLen is the length of the encoded vector of the children's names.
func (v *version) childrenLen(d *dir) int { return 4 + 4*int(d.children) + int(d.nameBytes) }

// ChildrenLen is how many bytes AppendChildren appends for n.
func (t *Tree) ChildrenLen(n Node) int {
	if d := t.dirOf(t.header(n)); d != nil {
		return t.childrenLen(d)
	}
	return 4
}

// FirstChild is the oldest child of n, 0 if there is none.
func (t *Tree) FirstChild(n Node) Node {
	if d := t.dirOf(t.header(n)); d != nil {
		return d.first
	}
	return 0
}

// NextSibling is the child of n's parent that was created after n, 0 if n is
// the youngest.
func (t *Tree) NextSibling(n Node) Node { return t.header(n).next }

// Name is the last part of n's path, "" for the root. It aliases the tree.
func (t *Tree) Name(n Node) []byte { return t.name(t.header(n).blob) }

// AllChildren is how many descendants n has. It visits all that have children,
// and their children.
func (t *Tree) AllChildren(n Node) int {
	if n == root {
		return t.count - 1
	}
	return t.descendants(n)
}

func (v *version) descendants(n Node) int {
	total := 0
	for c := n; ; {
		h := v.header(c)
		if d := v.dirOf(h); d != nil && d.first != 0 {
			total += int(d.children)
			c = d.first
			continue
		}
		for c != n && h.next == 0 {
			c = h.parent
			h = v.header(c)
		}
		if c == n {
			return total
		}
		c = h.next
	}
}

// grow makes b longer by n bytes of arbitrary content.
func grow(b []byte, n int) []byte {
	if n > math.MaxInt-len(b) {
		panic("tree: slice too long")
	}
	if cap(b)-len(b) < n {
		bigger := make([]byte, len(b), max(2*cap(b), len(b)+n))
		copy(bigger, b)
		b = bigger
	}
	return b[:len(b)+n]
}
