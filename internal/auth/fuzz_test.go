package auth

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/quollhq/quoll/internal/auth/x500"
	"github.com/quollhq/quoll/internal/proto"
)

func marshalName(n pkix.Name) ([]byte, error) { return asn1.Marshal(n.ToRDNSequence()) }

// FuzzNetwork compares the parser of networks with the one of netip, where both
// know the form, and checks what holds for all.
func FuzzNetwork(f *testing.F) {
	for _, s := range ipSeeds {
		f.Add(s, "10.1.2.3")
		f.Add(s, "2001:db8:0:0:0:0:0:5")
	}
	f.Fuzz(func(t *testing.T, expr, id string) {
		n, ok := parseNetwork(expr)
		m := ipProvider{}.Matcher(expr)
		if ok != (m != nil) {
			t.Fatalf("%q: parsed %v, matcher %v", expr, ok, m)
		}
		if !ok {
			if p, err := netip.ParsePrefix(expr); err == nil && !p.Addr().Is4In6() && !strings.Contains(expr, ".") {
				t.Fatalf("%q is not accepted, but %v", expr, p)
			}
			return
		}
		addr, err := netip.ParseAddr(id)
		if err != nil || strings.Contains(id, "%") || addr.Is4In6() {
			return
		}
		bits := netip.PrefixFrom(netip.AddrFrom16(n.addr.bytes), n.bits)
		if n.addr.len == 4 {
			bits = netip.PrefixFrom(netip.AddrFrom4([4]byte(n.addr.bytes[:4])), n.bits)
		}
		if got := m.Match(HostAddress(addr)); got != bits.Contains(addr) {
			t.Fatalf("%q contains %q: %v, by netip %v", expr, id, got, !got)
		}
	})
}

func FuzzDistinguishedName(f *testing.F) {
	for _, s := range dnSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) || len(s) > 1000 || strings.ContainsAny(s, "\x00\r\n ") {
			x500.Valid(s)
			return
		}
		// What a subject is written as must be a valid entry.
		der, err := marshalName(pkix.Name{CommonName: s, Organization: []string{s, "o"}})
		if err != nil {
			return
		}
		name, err := x500.Name(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := x500.Check(name); err != nil && !strings.Contains(s, `\`) {
			t.Fatalf("subject %q written as %q is not valid: %v", s, name, err)
		}
		x500.Valid(s)
	})
}

func FuzzSubject(f *testing.F) {
	f.Add([]byte{0x30, 0})
	f.Add(der(0x30, der(0x31, der(0x30, []byte{6, 3, 0x55, 4, 3, 12, 1, 'a'}))))
	f.Fuzz(func(t *testing.T, b []byte) {
		if name, err := x500.Name(b); err == nil && len(name) > 100*len(b)+10 {
			t.Fatalf("%x is %q", b, name)
		}
	})
}

// FuzzFixup checks that a list which was accepted is accepted again as it is.
func FuzzFixup(f *testing.F) {
	f.Add("world", "anyone", "auth", "", "digest", "u:h")
	f.Add("ip", "10.0.0.0/8", "x509", "CN=a", "sasl", "a@B")
	r := goldenRegistry(f)
	f.Fuzz(func(t *testing.T, s1, i1, s2, i2, s3, i3 string) {
		acl := []proto.ACL{{Perms: 1, Scheme: s1, ID: i1}, {Perms: 2, Scheme: s2, ID: i2}, {Perms: 1, Scheme: s3, ID: i3}}
		got, err := r.FixupACL(acl, []ID{{"digest", "v:h"}, {"ip", "10.0.0.1"}})
		if err != nil {
			return
		}
		again, err := r.FixupACL(got, nil)
		if err != nil || len(again) > len(got) {
			t.Fatalf("%v was accepted, then %v, %v", got, again, err)
		}
		if slices.ContainsFunc(again, func(a proto.ACL) bool { return a.Scheme == "auth" }) {
			t.Fatalf("%v still has an auth entry", again)
		}
		for _, a := range again {
			r.Compile([]proto.ACL{a}).Allows(31, []ID{{a.Scheme, a.ID}})
		}
		MaskDigests(again)
	})
}

func FuzzDigest(f *testing.F) {
	f.Add([]byte("u:p"))
	f.Add([]byte("\xed\xa0\x80:\xff"))
	r := goldenRegistry(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		out := r.Authenticate("digest", data, Peer{})
		if data == nil {
			return
		}
		id := out.Add[len(out.Add)-1]
		if !utf8.ValidString(id.ID) {
			t.Fatalf("identity %q is no UTF-8", id.ID)
		}
		user := r.UserName(id)
		if strings.Contains(user, ":") || !r.Provider("digest").Valid(id.ID) {
			t.Fatalf("identity %q of user %q", id.ID, user)
		}
	})
}
