package x500

import (
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// shortNames are the attribute types that RFC 2253 names, by object identifier.
// All others are written by number, with their value in hex.
var shortNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O",
	"2.5.4.11": "OU", "2.5.4.9": "STREET",
	"0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
}

type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

type relativeName []attribute

// Name is the string form of a DER encoded distinguished name (a certificate's
// RawSubject) that X500Principal.getName yields: RFC 2253, last part first.
func Name(der []byte) (string, error) {
	var seq asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &seq); err != nil || len(rest) > 0 {
		return "", fmt.Errorf("%w: not one DER element", ErrMalformed)
	}
	if seq.Tag != asn1.TagSequence || !seq.IsCompound {
		return "", fmt.Errorf("%w: not a sequence", ErrMalformed)
	}
	out := ""
	for rest := seq.Bytes; len(rest) > 0; {
		var rdn relativeName
		var err error
		if rest, err = asn1.UnmarshalWithParams(rest, &rdn, "set"); err != nil {
			return "", fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		if out != "" {
			out = "," + out
		}
		out = rdn.String() + out
	}
	return out, nil
}

func (r relativeName) String() string {
	parts := make([]string, len(r))
	for i, a := range r {
		parts[i] = a.String()
	}
	return strings.Join(parts, "+")
}

func (a attribute) String() string {
	oid := a.Type.String()
	name, ok := shortNames[oid]
	if !ok {
		return oid + "=#" + hex.EncodeToString(a.Value.FullBytes)
	}
	text, ok := decodeText(a.Value)
	if !ok {
		return name + "=#" + hex.EncodeToString(a.Value.FullBytes)
	}
	return name + "=" + escape(text)
}

// decodeText is the text of the string types that Java writes as text.
func decodeText(v asn1.RawValue) (string, bool) {
	if v.Class != asn1.ClassUniversal {
		return "", false
	}
	switch v.Tag {
	case asn1.TagPrintableString, asn1.TagT61String, asn1.TagIA5String, asn1.TagGeneralString:
		return latin1(v.Bytes), true
	case asn1.TagUTF8String:
		return strings.ToValidUTF8(string(v.Bytes), "\uFFFD"), true
	case asn1.TagBMPString:
		return utf16BE(v.Bytes), true
	}
	return "", false
}

func latin1(b []byte) string {
	r := make([]rune, len(b))
	for i, c := range b {
		r[i] = rune(c)
	}
	return string(r)
}

func utf16BE(b []byte) string {
	u := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		u = append(u, uint16(b[0])<<8|uint16(b[1]))
	}
	if len(b) > 0 {
		u = append(u, utf8.RuneError)
	}
	return string(utf16.Decode(u))
}

// escape puts backslashes before special characters, and before blanks at both
// ends.
func escape(s string) string {
	var out strings.Builder
	lead := len(s) - len(strings.TrimLeft(s, " \r"))
	trail := len(strings.TrimRight(s, " \r"))
	for i, c := range s {
		switch {
		case c == 0:
			out.WriteString(`\00`)
			continue
		case i < lead || i >= trail || strings.ContainsRune(`,=+<>#;"\`, c):
			out.WriteByte('\\')
		}
		out.WriteRune(c)
	}
	return out.String()
}
