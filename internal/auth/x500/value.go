package x500

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// checkPlain reads a value without quotes. It may hold escaped characters and
// escaped bytes in hex.
func checkPlain(s string) error {
	for i := 0; i < len(s); {
		c := s[i]
		i++
		switch {
		case c == '\\':
			n, err := checkEscape(s[i:], ",=\n+<>#;\\\" ")
			if err != nil {
				return err
			}
			i += n
		case strings.IndexByte(`,+<>;"`, c) >= 0:
			return fmt.Errorf("%w: %q without backslash", ErrMalformed, c)
		}
		// A plus sign, a comma or a semicolon ends the value, whatever follows:
		// the caller has split there what it took for a separator.
		if i < len(s) && strings.IndexByte("+,;", s[i]) >= 0 {
			return nil
		}
	}
	return nil
}

// checkQuoted reads a value behind its opening quote.
func checkQuoted(s string) error {
	for i := 0; i < len(s); {
		c := s[i]
		i++
		switch c {
		case '"':
			if strings.Trim(s[i:], " \n") != "" {
				return fmt.Errorf("%w: characters behind the closing quote", ErrMalformed)
			}
			return nil
		case '\\':
			n, err := checkEscape(s[i:], ",=\n+<>#;\\\"")
			if err != nil {
				return err
			}
			i += n
		}
	}
	return fmt.Errorf("%w: no closing quote", ErrMalformed)
}

// checkEscape reads what follows a backslash, one of special or two hex digits,
// and tells its length.
func checkEscape(s, special string) (int, error) {
	switch {
	case s == "":
		return 0, fmt.Errorf("%w: backslash at the end", ErrMalformed)
	case isHex(s[0]):
		if len(s) < 2 || !isHex(s[1]) {
			return 0, fmt.Errorf("%w: an escaped byte takes two hex digits", ErrMalformed)
		}
		return 2, nil
	case strings.IndexByte(special, s[0]) >= 0:
		return 1, nil
	}
	return 0, fmt.Errorf("%w: %q need not be escaped", ErrMalformed, s[0])
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// checkHex reads a value in the form "#hex", behind the number sign: the bytes
// of one BER element.
func checkHex(s string) error {
	if i := strings.IndexAny(s, "+,;"); i >= 0 {
		s = s[:i]
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if !oneElement(b) {
		return fmt.Errorf("%w: hex value is not one BER element", ErrMalformed)
	}
	return nil
}

// oneElement tells whether b is one BER element of definite length.
func oneElement(b []byte) bool {
	if len(b) < 2 || b[0]&0x1f == 0x1f {
		return false
	}
	length, rest := int64(b[1]), b[2:]
	if length >= 0x80 {
		n := int(length - 0x80)
		if n == 0 || n > 4 || len(rest) < n {
			return false
		}
		length = 0
		for _, c := range rest[:n] {
			length = length<<8 | int64(c)
		}
		rest = rest[n:]
	}
	return length == int64(len(rest))
}
