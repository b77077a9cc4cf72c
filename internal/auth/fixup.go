package auth

import (
	"slices"

	"github.com/quollhq/quoll/internal/proto"
)

// FixupACL is what acl becomes when a client with ids sets it: duplicates are
// dropped, and each "auth" entry gives way to the client's authenticated
// identities. A list that is empty, names an unknown scheme or an identity that
// is invalid in its scheme, or says "auth" for a client without authenticated
// identity yields proto.InvalidACL.
//
// acl is never changed, but may be what is returned.
func (r *Registry) FixupACL(acl []proto.ACL, ids []ID) ([]proto.ACL, error) {
	if len(acl) == 0 {
		return nil, proto.InvalidACL
	}
	acl = unique(acl)
	for _, a := range acl {
		if a.Scheme == "auth" {
			return r.rewriteACL(acl, ids)
		}
		if !r.validEntry(a) {
			return nil, proto.InvalidACL
		}
	}
	return acl, nil
}

// manyEntries is the length from which on a list's duplicates are looked for in
// a map. A request can hold tens of thousands of entries.
const manyEntries = 32

// unique is acl without what occurs earlier in it, acl itself if nothing does.
func unique(acl []proto.ACL) []proto.ACL {
	var seen map[proto.ACL]bool
	if len(acl) > manyEntries {
		seen = make(map[proto.ACL]bool, len(acl))
	}
	var out []proto.ACL
	for i, a := range acl {
		again := false
		if seen == nil {
			again = slices.Contains(acl[:i], a)
		} else if again = seen[a]; !again {
			seen[a] = true
		}
		switch {
		case again && out == nil:
			out = append(make([]proto.ACL, 0, len(acl)-1), acl[:i]...)
		case !again && out != nil:
			out = append(out, a)
		}
	}
	if out == nil {
		return acl
	}
	return out
}

// maxExpanded bounds the length of a list with "auth" entries: each becomes as
// many as the client has identities, and one frame holds tens of thousands.
const maxExpanded = 4096

// rewriteACL is FixupACL for lists with "auth" entries. What these expand to may
// repeat other entries.
func (r *Registry) rewriteACL(acl []proto.ACL, ids []ID) ([]proto.ACL, error) {
	out := make([]proto.ACL, 0, len(acl)+len(ids))
	for _, a := range acl {
		if a.Scheme != "auth" {
			if !r.validEntry(a) {
				return nil, proto.InvalidACL
			}
			out = append(out, a)
			continue
		}
		n := len(out)
		if out = r.expandAuth(out, a.Perms, ids); len(out) == n || len(out) > maxExpanded {
			return nil, proto.InvalidACL
		}
	}
	return out, nil
}

func (r *Registry) expandAuth(out []proto.ACL, perms int32, ids []ID) []proto.ACL {
	for _, id := range ids {
		p := r.providers[id.Scheme]
		if p == nil {
			r.log.Error("missing authentication provider", "scheme", id.Scheme)
			continue
		}
		if p.Authenticated() {
			out = append(out, proto.ACL{Perms: perms, Scheme: id.Scheme, ID: id.ID})
		}
	}
	return out
}

func (r *Registry) validEntry(a proto.ACL) bool {
	if a.Scheme == "world" && a.ID == "anyone" {
		return true
	}
	p := r.providers[a.Scheme]
	return p != nil && p.Valid(a.ID)
}
