package auth

import "github.com/quollhq/quoll/internal/proto"

// Compiled is an access control list prepared for checks. It is immutable and
// bound to the registry that made it.
type Compiled struct {
	// world are the permissions that everybody has.
	world int32
	// always grants everything: an empty list, or lists are not looked at.
	always  bool
	entries []entry
	// first and length are where the list lies, which tells lists apart that got
	// the same number one after the other; see Cache.
	first  *proto.ACL
	length int
}

// entry is one line of a list that names somebody.
type entry struct {
	perms  int32
	scheme string
	match  Matcher
}

// Compile prepares acl, which the caller must not change afterwards. A list
// without entries allows everything, as it does in Apache's server.
func (r *Registry) Compile(acl []proto.ACL) *Compiled {
	c := &Compiled{always: r.skipACL || len(acl) == 0}
	if len(acl) > 0 {
		c.first, c.length = &acl[0], len(acl)
	}
	for _, a := range acl {
		if a.Scheme == "world" && a.ID == "anyone" {
			c.world |= a.Perms
			continue
		}
		p := r.providers[a.Scheme]
		if p == nil {
			continue
		}
		if m := p.Matcher(a.ID); m != nil {
			c.entries = append(c.entries, entry{a.Perms, a.Scheme, m})
		}
	}
	return c
}

// Allows tells whether ids have at least one of the permissions in perm (bits
// of proto.PermRead and so on). It does not allocate.
func (c *Compiled) Allows(perm int32, ids []ID) bool {
	return c.world&perm != 0 || c.allows(perm, ids)
}

func (c *Compiled) allows(perm int32, ids []ID) bool {
	if c.always {
		return true
	}
	for i := range ids {
		if ids[i].Scheme == SchemeSuper {
			return true
		}
	}
	for i := range c.entries {
		e := &c.entries[i]
		if e.perms&perm != 0 && e.matchesAny(ids) {
			return true
		}
	}
	return false
}

func (e *entry) matchesAny(ids []ID) bool {
	for i := range ids {
		if ids[i].Scheme == e.scheme && e.match.Match(ids[i].ID) {
			return true
		}
	}
	return false
}

// Check is Compile and Allows in one, for lists that are checked once. It
// returns proto.NoAuth or nil.
func (r *Registry) Check(perm int32, acl []proto.ACL, ids []ID) error {
	if !r.Compile(acl).Allows(perm, ids) {
		return proto.NoAuth
	}
	return nil
}
