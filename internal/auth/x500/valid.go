// Package x500 reads and writes distinguished names as Java's X500Principal
// does: the identities of scheme x509 are its strings, to the character.
package x500

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// ErrMalformed marks a string or encoding that is no distinguished name.
var ErrMalformed = errors.New("malformed distinguished name")

// Valid tells whether Java's X500Principal accepts s, which it reads by the
// rules of RFC 1779 and RFC 2253 mixed: names are separated by commas or
// semicolons, values may be quoted or escaped. The empty string is valid.
//
// Two oddities of values in "#hex" form are not followed: an encoding of
// indefinite length is refused.
func Valid(s string) bool { return Check(s) == nil }

// Check is Valid with a reason.
func Check(s string) error {
	if s == "" {
		return nil
	}
	from, searched, quotes := 0, 0, 0
	for {
		i := strings.IndexAny(s[searched:], ",;")
		if i < 0 {
			return checkRDN(s[from:])
		}
		end := searched + i
		quotes += countQuotes(s[searched:end])
		if quotes != 1 && !escaped(s, searched, end) {
			if err := checkRDN(s[from:end]); err != nil {
				return err
			}
			from, quotes = end+1, 0
		}
		searched = end + 1
	}
}

// countQuotes counts the quotes in s that no backslash precedes.
func countQuotes(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] == '"' && (i == 0 || s[i-1] != '\\') {
			n++
		}
	}
	return n
}

// escaped tells whether the separator at end belongs to the value. After two
// backslashes Java counts all those since the last separator, not only the run
// before this one.
func escaped(s string, since, end int) bool {
	if end < 1 || s[end-1] != '\\' {
		return false
	}
	if end == 1 || s[end-2] != '\\' {
		return true
	}
	return strings.Count(s[since:end], `\`)%2 != 0
}

// checkRDN reads one relative name, a series of assertions joined by "+".
func checkRDN(s string) error {
	from, searched, quotes := 0, 0, 0
	for {
		i := strings.IndexByte(s[searched:], '+')
		if i < 0 {
			return checkAssertion(s[from:])
		}
		plus := searched + i
		quotes += countQuotes(s[searched:plus])
		if plus > 0 && s[plus-1] != '\\' && quotes != 1 {
			if err := checkAssertion(s[from:plus]); err != nil {
				return err
			}
			from, quotes = plus+1, 0
		}
		searched = plus + 1
	}
}

// checkAssertion reads keyword=value.
func checkAssertion(s string) error {
	keyword, value, found := strings.Cut(s, "=")
	if !found {
		return fmt.Errorf("%w: no keyword and value in %q", ErrMalformed, s)
	}
	if err := checkKeyword(keyword); err != nil {
		return err
	}
	value = strings.TrimLeft(value, " \n")
	switch {
	case value == "":
		return nil
	case value[0] == '#':
		return checkHex(value[1:])
	case value[0] == '"':
		return checkQuoted(value[1:])
	}
	return checkPlain(value)
}

// keywords are the attribute types that may be written by name.
var keywords = map[string]bool{
	"CN": true, "C": true, "L": true, "S": true, "ST": true, "O": true, "OU": true, "T": true,
	"IP": true, "STREET": true, "DC": true, "DNQUALIFIER": true, "DNQ": true, "SURNAME": true,
	"GIVENNAME": true, "INITIALS": true, "GENERATION": true, "EMAIL": true,
	"EMAILADDRESS": true, "UID": true, "SERIALNUMBER": true,
}

// javaBlank are the characters that Java's String.trim takes off.
const javaBlank = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f" +
	"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f "

func checkKeyword(s string) error {
	keyword := strings.Trim(strings.ToUpper(s), javaBlank)
	if keywords[keyword] {
		return nil
	}
	keyword = strings.TrimPrefix(keyword, "OID.")
	if keyword == "" || keyword[0] < '0' || keyword[0] > '9' || !validOID(keyword) {
		return fmt.Errorf("%w: unknown keyword %q", ErrMalformed, s)
	}
	return nil
}

// maxOID bounds the encoding of an object identifier, as Java does.
const maxOID = 4096

// validOID reads a dotted object identifier of at least two numbers, of which
// each may bear a sign that does not make it negative.
func validOID(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) < 2 || len(s) > 4*maxOID {
		return false
	}
	size := 0
	var first, second *big.Int
	for i, part := range parts {
		n, ok := new(big.Int).SetString(part, 10)
		if !ok || n.Sign() < 0 {
			return false
		}
		switch i {
		case 0:
			first = n
			continue
		case 1:
			second = n
		}
		size += max(1, (n.BitLen()+6)/7)
	}
	if first.Cmp(big.NewInt(2)) > 0 || first.Cmp(big.NewInt(2)) < 0 && second.Cmp(big.NewInt(39)) > 0 {
		return false
	}
	return size <= maxOID
}
