package auth

import (
	"encoding/asn1"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/auth/kerberos"
	"github.com/quollhq/quoll/internal/auth/x500"
	"github.com/quollhq/quoll/internal/proto"
)

// mutate yields n strings made by small random changes from seeds.
func mutate(seed uint64, n int, alphabet string, seeds []string) []string {
	rnd := rand.New(rand.NewPCG(seed, 1))
	out := slices.Clone(seeds)
	for len(out) < n {
		s := []byte(seeds[rnd.IntN(len(seeds))])
		for range 1 + rnd.IntN(3) {
			i := rnd.IntN(len(s) + 1)
			switch c := alphabet[rnd.IntN(len(alphabet))]; {
			case i == len(s) || rnd.IntN(3) == 0:
				s = slices.Insert(s, i, c)
			case rnd.IntN(2) == 0:
				s = slices.Delete(s, i, i+1)
			default:
				s[i] = c
			}
		}
		out = append(out, string(s))
	}
	return out
}

var (
	ipSeeds = []string{"", "1.2.3.4", "10.0.0.0/8", "192.168.1.1/32", "0.0.0.0/0", "1.2.3.4/33", "1.2.3",
		"1.2.3.4.5", "256.1.1.1", "+1.2.3.4", "-0.1.2.3", "01.2.3.4", "1.2.3.4/+8", "1.2.3.4/", "1.2.3.4/8/8",
		"::", "::1", "1::", "fe80::1/10", "2001:db8::/32", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7::",
		"::2:3:4:5:6:7:8", "1::2::3", ":::", ":1", "1:", "::ffff:1.2.3.4", "::-1", "::+fff", "::12345", "::g",
		"fe80::1%1", "2001:DB8::/129", "2001:db8::/-1", "0:0:0:0:0:0:0:1", "1.2.3.4::", "::/0"}
	digestSeeds = []string{"", ":", "a", "a:b", "a:", ":b", "a:b:", "a:b::", "a:b:c", "::b", "a::b", ":::"}
	saslSeeds   = []string{"", "a", "a@B", "a/b@C", "a/b", "a/b/c", "a/b/c@D", "a@b@c", "@", "/@", "a/@", "a@b/c", "@b"}
	dnSeeds     = []string{"", "CN=a", "CN=a,O=b;C=de", "cn = a , o = \"b, c\" ", "CN=a\\,b", "CN=a+OU=b", "CN=#0403abcdef",
		"CN=#0c0161", "OID.2.5.4.3=x", "2.5.4.3=x", "1.2=x", "3.1=x", "1.40=x", "2.999.1=x", "CN=a\\20b", "CN=\\ a",
		"CN=a\\", "CN=\"a\\\"b\"", "CN=\"a\" b", "CN=\"a", "X=a", "=a", "CN", "CN=", ",", "CN=a,", "CN=a\\\\,O=b",
		"EMAILADDRESS=a@b", "DC=a,DC=b", "UID=x", "CN=a\nb", "CN=\"a,b;c+d\"", "CN=a<b", "S=x,T=y,IP=z", "CN=a\\\\\\,O=b",
		"CN=a=b", "CN= #01", "CN=#", "CN=#1", "CN=#04", "CN=#048101ff", "CN=#0480", "CN=\xc3\xa9", "CN=a\\zb", "CN=a,,O=b",
		"CN=a+", "+CN=a", "CN=a\\+b", "CN=\"x\"+O=\"y\""}
)

func TestValidLikeApache(t *testing.T) {
	r := goldenRegistry(t)
	for scheme, exprs := range map[string][]string{
		"ip":       mutate(1, 700, ":./0123456789abcfF+-g%", ipSeeds),
		"digest":   mutate(2, 120, ":a\n", digestSeeds),
		"sasl":     mutate(3, 200, "/@ab", saslSeeds),
		"x509":     mutate(4, 1200, "CN=,;+\"\\#<> a0.\n", dnSeeds),
		"ensemble": {"", "x"},
	} {
		t.Run(scheme, func(t *testing.T) {
			var qs []question
			for _, e := range exprs {
				qs = append(qs, question{"valid", []string{scheme, e}})
			}
			for i, a := range golden(t, "valid_"+scheme, qs) {
				if got := strconv.FormatBool(r.Provider(scheme).Valid(exprs[i])); got != a[0] {
					t.Errorf("%q: valid %s, by Apache %s", exprs[i], got, a[0])
				}
			}
		})
	}
}

func TestMatchLikeApache(t *testing.T) {
	r := goldenRegistry(t)
	rnd := rand.New(rand.NewPCG(5, 1))
	exprs := mutate(6, 400, ":./0123456789abcf", ipSeeds)
	ids := []string{"1.2.3.4", "10.1.2.3", "192.168.1.1", "0:0:0:0:0:0:0:1", "fe80:0:0:0:0:0:0:1",
		"2001:db8:0:0:0:0:0:5", "1:2:3:4:5:6:7:8", "fe80:0:0:0:1:2:3:4%2", "", "x"}
	var qs []question
	for _, e := range exprs {
		qs = append(qs, question{"match", []string{"ip", ids[rnd.IntN(len(ids))], e}})
		qs = append(qs, question{"match", []string{"ip", strings.SplitN(e, "/", 2)[0], e}})
	}
	for _, e := range []string{"a", "anybody", "super", superSubject, ""} {
		for _, id := range []string{"a", "super", "b", superSubject, ""} {
			for _, scheme := range []string{"sasl", "x509", "digest", "ensemble"} {
				qs = append(qs, question{"match", []string{scheme, id, e}})
			}
		}
	}
	for i, a := range golden(t, "match", qs) {
		scheme, id, expr := qs[i].args[0], qs[i].args[1], qs[i].args[2]
		m := r.Provider(scheme).Matcher(expr)
		if got := strconv.FormatBool(m != nil && m.Match(id)); got != a[0] {
			t.Errorf("%s: %q for entry %q: %s, by Apache %s", scheme, id, expr, got, a[0])
		}
	}
}

func TestDigestLikeApache(t *testing.T) {
	r := goldenRegistry(t)
	data := append([]string{"super:admin", "super:wrong", "", ":", "user", "user:", ":pw", "a:b:c", "ü:ß", "user:😀", "\x00:\x00"},
		mutate(7, 300, "a:\x80\xbf\xc0\xc2\xe0\xa0\xed\xf0\x90\xf4\x8f\xf5\xff", []string{"a:\xc3\xa9", "\xe2\x82\xac:x",
			"\xf0\x9f\x98\x80", "\xed\xa0\x80:", "\xf4\x8f\xbf\xbf"})...)
	var qs []question
	for _, d := range data {
		qs = append(qs, question{"digest", []string{d}})
	}
	for i, a := range golden(t, "digest", qs) {
		out := r.Authenticate("digest", []byte(data[i]), Peer{})
		if got := flatten(out.Add); !slices.Equal(got, a) || out.Code != proto.OK {
			t.Errorf("%q proves %q (%v), by Apache %q", data[i], got, out.Code, a)
		}
	}
}

func flatten(ids []ID) (out []string) {
	for _, id := range ids {
		out = append(out, id.Scheme, id.ID)
	}
	return out
}

func TestUserNameLikeApache(t *testing.T) {
	r := goldenRegistry(t)
	var qs []question
	for _, scheme := range []string{"digest", "ip", "sasl", "x509"} {
		for _, id := range []string{"", "a", "a:b", ":b", "a:b:c"} {
			qs = append(qs, question{"user", []string{scheme, id}})
		}
	}
	for i, a := range golden(t, "user", qs) {
		if got := r.UserName(ID{qs[i].args[0], qs[i].args[1]}); got != a[0] {
			t.Errorf("%q: user name %q, by Apache %q", qs[i].args, got, a[0])
		}
	}
}

func TestMaskLikeApache(t *testing.T) {
	ids := mutate(8, 60, "a:\n\r", []string{"", "a", "a:b", ":b", "a:b:c", "a:b\nc:d", "a:\u0085b:c", "a:\u2028:", "a\r\n:b"})
	var qs []question
	for i, id := range ids {
		ids[i] = strings.ToValidUTF8(id, "")
		qs = append(qs, question{"mask", []string{ids[i]}})
	}
	for i, a := range golden(t, "mask", qs) {
		acl := []proto.ACL{{Perms: 1, Scheme: "world", ID: "a:b"}, {Perms: 2, Scheme: "digest", ID: ids[i]}}
		got := MaskDigests(acl)
		if got[1].ID != a[0] || got[0] != acl[0] || got[1].Perms != 2 {
			t.Errorf("%q shown as %q, by Apache %q", ids[i], got, a[0])
		}
		if acl[1].ID != ids[i] {
			t.Errorf("the list itself changed to %v", acl)
		}
	}
}

func TestOrderLikeApache(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 1))
	var qs []question
	for range 150 {
		args := []string{"ip", fmt.Sprintf("127.0.0.%d", rnd.IntN(256))}
		for range rnd.IntN(11) {
			args = append(args, []string{"digest", "sasl", "x509", "super", "ü😀"}[rnd.IntN(5)], fmt.Sprintf("u%d:é%d", rnd.IntN(20), rnd.Uint32()))
		}
		qs = append(qs, question{"order", args})
	}
	for i, a := range golden(t, "order", qs) {
		var ids []ID
		for j := 0; j < len(qs[i].args); j += 2 {
			ids = Add(ids, ID{qs[i].args[j], qs[i].args[j+1]})
		}
		if got := flatten(ids); !slices.Equal(got, a) {
			t.Errorf("%q are in order %q, by Apache %q", qs[i].args, got, a)
		}
	}
}

// randomLists yields questions about random identities and lists.
func randomLists(rnd *rand.Rand, op string, n int) (qs []question) {
	schemes := []string{"world", "auth", "digest", "ip", "sasl", "x509", "super", "nope", ""}
	names := []string{"anyone", "", "u:h", "v:h", "10.0.0.1", "10.0.0.0/8", "bob", "anybody", "super", "CN=a", superSubject, "a/b/c@d"}
	pick := func(list []string) string { return list[rnd.IntN(len(list))] }
	for range n {
		var args []string
		if op == "check" {
			args = append(args, strconv.Itoa(rnd.IntN(32)))
		}
		ids := rnd.IntN(4)
		args = append(args, strconv.Itoa(ids))
		for range ids {
			args = append(args, pick(schemes[2:8]), pick(names))
		}
		for range rnd.IntN(4) {
			args = append(args, strconv.Itoa([]int{1, 2, 31}[rnd.IntN(3)]), pick(schemes), pick(names))
		}
		qs = append(qs, question{op, args})
	}
	return qs
}

// parseLists is the inverse of randomLists.
func parseLists(args []string) (ids []ID, acl []proto.ACL) {
	n, _ := strconv.Atoi(args[0])
	for i := range n {
		ids = append(ids, ID{args[1+2*i], args[2+2*i]})
	}
	for rest := args[1+2*n:]; len(rest) > 0; rest = rest[3:] {
		perms, _ := strconv.Atoi(rest[0])
		acl = append(acl, proto.ACL{Perms: int32(perms), Scheme: rest[1], ID: rest[2]})
	}
	return ids, acl
}

func TestFixupLikeApache(t *testing.T) {
	r := goldenRegistry(t)
	qs := randomLists(rand.New(rand.NewPCG(10, 1)), "fixup", 1500)
	for i, a := range golden(t, "fixup", qs) {
		ids, acl := parseLists(qs[i].args)
		before := slices.Clone(acl)
		fixed, err := r.FixupACL(acl, ids)
		got := []string{"invalid"}
		if err == nil {
			got = nil
			for _, e := range fixed {
				got = append(got, strconv.Itoa(int(e.Perms)), e.Scheme, e.ID)
			}
		} else if err != proto.InvalidACL {
			t.Fatalf("%v: %v", acl, err)
		}
		if !slices.Equal(got, a) {
			t.Errorf("%v set by %v becomes %q, by Apache %q", acl, ids, got, a)
		}
		if !slices.Equal(acl, before) {
			t.Errorf("%v was changed to %v", before, acl)
		}
	}
}

func TestCheckLikeApache(t *testing.T) {
	r := goldenRegistry(t)
	cache := r.NewCache()
	qs := randomLists(rand.New(rand.NewPCG(11, 1)), "check", 3000)
	for i, a := range golden(t, "check", qs) {
		perm, _ := strconv.Atoi(qs[i].args[0])
		ids, acl := parseLists(qs[i].args[1:])
		got := r.Check(int32(perm), acl, ids)
		if strconv.FormatBool(got == nil) != a[0] {
			t.Errorf("%v has %v: permission %d: %v, by Apache %s", ids, acl, perm, got, a[0])
		}
		if cached := cache.Get(uint32(i%7), acl).Allows(int32(perm), ids); cached != (got == nil) {
			t.Errorf("cached %v answers %v", acl, cached)
		}
	}
}

func TestKerberosLikeApache(t *testing.T) {
	rules := []string{"DEFAULT", "", "RULE:[1:$1]", "RULE:[2:$1]", "RULE:[2:$1;$2](^.*;admin$)s/;admin$//",
		"RULE:[1:$1@$0](.*@A)s/@.*//\nDEFAULT", "RULE:[2:$1-$2@$0](.*@A)s/-(\\w+)@.*/_$1/ DEFAULT",
		"RULE:[1:$1](bob)s/b/x/g DEFAULT", "RULE:[1:$1](bob)s/b/x/DEFAULT", "RULE:[1:$3]", "RULE:[1:$]", "RULE:[1:$1]()DEFAULT",
		"RULE:[0:x]", "RULE:[1:a$1b$0c]s/[a-c]//g", "NONE", "RULE:[1:$1", "RULE:[:x]", "RULE:[1:$1]s/o/\\$0/", "RULE:[1:$1]s/(b)(o)/$2$12/"}
	names := []string{"bob", "bob@A", "bob@B", "bob/admin@A", "bob/host@B", "a/b/c@A", "a@b@c", "a/b", "@A", "bob@", "/@A", ""}
	var qs []question
	for i, rule := range rules {
		for j, name := range names {
			realm := []string{"A", ""}[(i+j)%2]
			qs = append(qs, question{"kerberos", []string{rule, realm, strconv.FormatBool(i%3 == 0), strconv.FormatBool(j%2 == 0), name}})
		}
	}
	for i, a := range golden(t, "kerberos", qs) {
		args := qs[i].args
		if got := authorize(args); got != a[0] {
			t.Errorf("%q is authorized as %q, by Apache as %q", args, got, a[0])
		}
	}
}

func authorize(args []string) string {
	// An empty setting is given as such here, whereas Options take it for none.
	rules := args[0]
	if rules == "" {
		rules = " "
	}
	m, err := kerberos.NewMapper(kerberos.Options{Rules: rules, DefaultRealm: args[1],
		RemoveHost: args[2] == "true", RemoveRealm: args[3] == "true"})
	if err != nil {
		return "!rules"
	}
	id, err := m.Authorize(args[4], args[4])
	if err != nil {
		return "!name"
	}
	return id
}

// randomSubject is a DER encoded name of random attributes.
func randomSubject(rnd *rand.Rand) []byte {
	oids := []asn1.ObjectIdentifier{{2, 5, 4, 3}, {2, 5, 4, 6}, {2, 5, 4, 8}, {2, 5, 4, 9}, {2, 5, 4, 11}, {2, 5, 4, 5},
		{0, 9, 2342, 19200300, 100, 1, 25}, {0, 9, 2342, 19200300, 100, 1, 1}, {1, 2, 840, 113549, 1, 9, 1}, {2, 999, 3}}
	tags := []int{asn1.TagPrintableString, asn1.TagUTF8String, asn1.TagIA5String, asn1.TagT61String,
		asn1.TagBMPString, asn1.TagNumericString, asn1.TagGeneralString}
	texts := []string{"", "a", " a ", "a,b", "#x", "x#y", `q"\\`, "a+b=c<d>;", "\x00z", "\r a\r", "é", "日本", "  ", "a/b:c'(d)?"}
	var rdns [][]byte
	for range rnd.IntN(4) {
		var set []byte
		for range 1 + rnd.IntN(2) {
			tag, text := tags[rnd.IntN(len(tags))], []byte(texts[rnd.IntN(len(texts))])
			if tag == asn1.TagBMPString {
				text = append(make([]byte, 0), "\x00a\x00,\x65\xe5\x00 "...)
			}
			oid, _ := asn1.Marshal(oids[rnd.IntN(len(oids))])
			set = append(set, der(0x30, append(oid, der(byte(tag), text)...))...)
		}
		rdns = append(rdns, der(0x31, set))
	}
	return der(0x30, slices.Concat(rdns...))
}

// der is one element of less than 256 bytes.
func der(tag byte, content []byte) []byte {
	b := []byte{tag, byte(len(content))}
	if len(content) >= 0x80 {
		b = []byte{tag, 0x81, byte(len(content))}
	}
	return append(b, content...)
}

func TestSubjectLikeJava(t *testing.T) {
	rnd := rand.New(rand.NewPCG(12, 1))
	var qs []question
	for range 600 {
		qs = append(qs, question{"name", []string{string(randomSubject(rnd))}})
	}
	for i, a := range golden(t, "name", qs) {
		got, err := x500.Name([]byte(qs[i].args[0]))
		if err != nil || got != a[0] {
			t.Errorf("%x is %q (%v), by Java %q", qs[i].args[0], got, err, a[0])
		}
	}
}
