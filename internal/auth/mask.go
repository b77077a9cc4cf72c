package auth

import (
	"strings"
	"unicode/utf8"

	"github.com/quollhq/quoll/internal/proto"
)

// MaskDigests is acl as it is shown to who may read but not administrate it:
// the hashes of digest entries become "x". acl itself stays as it is; it is
// returned when there is nothing to hide.
func MaskDigests(acl []proto.ACL) []proto.ACL {
	var out []proto.ACL
	for i, a := range acl {
		if a.Scheme != "digest" {
			continue
		}
		masked := maskDigest(a.ID)
		if masked == a.ID {
			continue
		}
		if out == nil {
			out = append([]proto.ACL(nil), acl...)
		}
		out[i].ID = masked
	}
	if out == nil {
		return acl
	}
	return out
}

// maskDigest puts "x" for what follows the first colon of each line.
func maskDigest(id string) string {
	if !strings.Contains(id, ":") {
		return id
	}
	var s strings.Builder
	for len(id) > 0 {
		line, end := cutLine(id)
		name, _, found := strings.Cut(line, ":")
		s.WriteString(name)
		if found {
			s.WriteString(":x")
		}
		s.WriteString(end)
		id = id[len(line)+len(end):]
	}
	return s.String()
}

// cutLine is the first line of s and the character that ends it, empty at the
// end of s. The characters are those that Java's patterns take for line ends.
func cutLine(s string) (line, end string) {
	i := strings.IndexAny(s, "\n\r\u0085\u2028\u2029")
	if i < 0 {
		return s, ""
	}
	_, n := utf8.DecodeRuneInString(s[i:])
	return s[:i], s[i : i+n]
}
