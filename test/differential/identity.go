package differential

import (
	"crypto/sha1"
	"encoding/base64"

	"github.com/quollhq/quoll/internal/proto"
)

// super is the identity that both servers let do everything, as user:password.
const super = "super:secret"

// digestOf is the id of scheme digest for user:password.
func digestOf(userPassword string) string {
	sum := sha1.Sum([]byte(userPassword))
	for i := range userPassword {
		if userPassword[i] == ':' {
			return userPassword[:i+1] + base64.StdEncoding.EncodeToString(sum[:])
		}
	}
	return base64.StdEncoding.EncodeToString(sum[:])
}

var users = []string{"u1:one", "u2:two", "u3:", "\u00fcser:p\u00e4ss"}

// auth draws an identity that the server accepts.
func (g *generator) auth(slot int) request {
	user := pick(g, users...)
	if g.chance(35) {
		user = super
	}
	return authRequest(user)
}

func authRequest(user string) request {
	body := putBuffer(putString(putInt(nil, 0), "digest"), []byte(user))
	return request{xid: proto.XidAuth, op: proto.OpAuth, body: body}
}

// badAuth draws an identity that the server refuses, or does not.
func (g *generator) badAuth(slot int) request {
	scheme := pick(g, "digest", "ip", "world", "x509", "sasl", "super", "", "nonsense", "auth")
	data := pick(g, nil, []byte{}, []byte("user"), []byte("a:b:c"), []byte(":"), []byte("\xff\xfe:x"), []byte("127.0.0.1"))
	body := putBuffer(putString(putInt(nil, pick[int32](g, 0, 0, 1, -1)), scheme), data)
	if g.chance(10) {
		body = body[:g.rng.IntN(len(body))]
	}
	return request{xid: proto.XidAuth, op: proto.OpAuth, body: body, ends: true}
}

type aclEntry struct {
	perms      int32
	scheme, id string
	nullScheme bool
	nullID     bool
}

// acl draws a list that is mostly open.
func (g *generator) acl(b []byte, r *request) []byte {
	switch {
	case g.chance(70):
		return putACL(b, aclEntry{perms: proto.PermAll, scheme: "world", id: "anyone"})
	case g.chance(2):
		return putInt(b, pick[int32](g, -1, 0))
	}
	var list []aclEntry
	for range 1 + g.rng.IntN(3) {
		e := g.entry(r)
		r.nullID = r.nullID || e.nullID || e.nullScheme
		list = append(list, e)
	}
	if g.chance(40) {
		list = append(list, aclEntry{perms: proto.PermAll, scheme: "world", id: "anyone"})
	}
	if g.chance(10) {
		list = append(list, list[0])
	}
	return putACL(b, list...)
}

func (g *generator) entry(r *request) aclEntry {
	e := aclEntry{perms: pick[int32](g, 31, 31, 31, 1, 2, 4, 8, 16, 3, 15, 0, 30)}
	switch n := g.rng.IntN(100); {
	case n < 25:
		e.scheme, e.id = "world", "anyone"
	case n < 50:
		e.scheme, e.id = "auth", pick(g, "", "x")
	case n < 75:
		e.scheme, e.id = "digest", digestOf(pick(g, users...))
	case n < 85:
		e.scheme, e.id = "ip", pick(g, "127.0.0.1", "127.0.0.0/8", "10.0.0.0/8", "0.0.0.0/0", "::1", "fe80::/10")
	case n < 88:
		e.scheme, e.id = "sasl", pick(g, "bob", "")
	case n < 90 && r.op != proto.OpMulti: // there Apache's server fails in the middle, and keeps half of it in mind
		e.nullScheme = g.chance(50)
		e.nullID = !e.nullScheme
		e.scheme, e.id = pick(g, "digest", "sasl", "world"), "x" // two of scheme auth Apache's server cannot compare
	case n < 92:
		e.perms = pick[int32](g, -1, 32, 63, 1<<30)
		e.scheme, e.id = "world", "anyone"
	default:
		e.scheme, e.id = g.oddIdentity()
	}
	return e
}

// oddIdentity is one that is mostly not valid.
func (g *generator) oddIdentity() (scheme, id string) {
	scheme = pick(g, "world", "digest", "ip", "x509", "super", "nonsense", "", "WORLD", "sasl")
	id = pick(g, "", "anyone", "nobody", "user", "user:", ":x", "a:b:c", "256.1.1.1", "127.0.0.1/33", "127.0.0.1/", "127.0.0.1/-1",
		"1.2.3", "::g", "::1/129", "::1/64", "CN=x", "CN=x,OU=y", "\U0001f600:x", "\xff:x", "u:\u20ac", "bob@REALM", "bob/host@REALM")
	return scheme, id
}

func putACL(b []byte, list ...aclEntry) []byte {
	b = putInt(b, int32(len(list)))
	for _, e := range list {
		b = putInt(b, e.perms)
		if e.nullScheme {
			b = putInt(b, -1)
		} else {
			b = putString(b, e.scheme)
		}
		if e.nullID {
			b = putInt(b, -1)
		} else {
			b = putString(b, e.id)
		}
	}
	return b
}
