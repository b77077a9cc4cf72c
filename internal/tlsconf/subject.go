package tlsconf

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/quollhq/quoll/internal/javatext"
)

// SubjectName returns the subject of a certificate as Java's
// getSubjectX500Principal().getName() prints it: RFC 2253 with Java's choices
// of keywords and escapes.
func SubjectName(c *x509.Certificate) (string, error) { return NameOf(c.RawSubject) }

// attribute is one AttributeTypeAndValue.
type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// NameOf is SubjectName for a DER encoded name.
func NameOf(der []byte) (string, error) {
	var rdns []asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &rdns); err != nil || len(rest) > 0 {
		return "", fmt.Errorf("found a subject that is no X.500 name: %w", orTrailing(err))
	}
	parts := make([]string, 0, len(rdns))
	for _, raw := range rdns {
		var set []attribute
		if rest, err := asn1.UnmarshalWithParams(raw.FullBytes, &set, "set"); err != nil || len(rest) > 0 {
			return "", fmt.Errorf("found a subject with a wrong RDN: %w", orTrailing(err))
		}
		avas := make([]string, len(set))
		for i, a := range set {
			avas[i] = a.String()
		}
		parts = append(parts, strings.Join(avas, "+"))
	}
	slices.Reverse(parts)
	return strings.Join(parts, ","), nil
}

func orTrailing(err error) error {
	if err == nil {
		return fmt.Errorf("bytes after its end")
	}
	return err
}

// keywords are the types that have names in RFC 2253.
var keywords = map[string]string{
	"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "STREET",
	"2.5.4.10": "O", "2.5.4.11": "OU",
	"0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
}

// String prints type=value; types without a keyword and values that are no
// strings have their DER in hexadecimal.
func (a attribute) String() string {
	oid := a.Type.String()
	keyword, ok := keywords[oid]
	if !ok {
		return oid + "=#" + hex.EncodeToString(a.Value.FullBytes)
	}
	if !isString(a.Value) {
		return keyword + "=#" + hex.EncodeToString(a.Value.FullBytes)
	}
	return keyword + "=" + escapeValue(stringOf(a.Value))
}

// stringOf decodes as Java does: BMPString as UTF-16, UTF8String as UTF-8, and
// the other types as ISO-8859-1, whatever the standard says of them.
func stringOf(v asn1.RawValue) string {
	switch v.Tag {
	case asn1.TagUTF8String:
		return javatext.DecodeUTF8(v.Bytes)
	case asn1.TagBMPString:
		units := make([]uint16, len(v.Bytes)/2)
		for i := range units {
			units[i] = uint16(v.Bytes[2*i])<<8 | uint16(v.Bytes[2*i+1])
		}
		name := string(utf16.Decode(units))
		if len(v.Bytes)%2 == 1 {
			name += string(utf8.RuneError)
		}
		return name
	}
	runes := make([]rune, len(v.Bytes))
	for i, c := range v.Bytes {
		runes[i] = rune(c)
	}
	return string(runes)
}

// isString tells the string types that Java prints as text.
func isString(v asn1.RawValue) bool {
	if v.Class != asn1.ClassUniversal {
		return false
	}
	switch v.Tag {
	case asn1.TagPrintableString, asn1.TagT61String, asn1.TagIA5String, asn1.TagGeneralString, asn1.TagBMPString, asn1.TagUTF8String:
		return true
	}
	return false
}

// escapeValue puts backslashes before special characters and before blanks at
// the ends, and writes NUL as \00.
func escapeValue(s string) string {
	isBlank := func(r rune) bool { return r == ' ' || r == '\r' }
	lead := len(s) - len(strings.TrimLeftFunc(s, isBlank))
	trail := len(strings.TrimRightFunc(s, isBlank))
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == 0:
			b.WriteString(`\00`)
			continue
		case strings.ContainsRune(`,=+<>#;"\`, r), i < lead, i >= trail:
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
