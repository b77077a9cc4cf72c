// Package javatext reads text as Java's library does, where others see how.
package javatext

import (
	"strings"
	"unicode/utf8"
)

// DecodeUTF8 decodes b: each maximal part of it that could have begun a
// character, but does not continue as one, becomes one replacement character,
// and so does an encoded surrogate. Identities are the result or a hash of it,
// so what is no UTF-8 must be replaced alike.
func DecodeUTF8(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var s strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			n = brokenLen(b)
		}
		s.WriteRune(r)
		b = b[n:]
	}
	return s.String()
}

// brokenLen is the number of bytes at the start of b, which is no valid
// character, that one replacement character stands for.
func brokenLen(b []byte) int {
	want, lo, hi := lead(b[0])
	n := 1
	for n < want && n < len(b) && lo <= b[n] && b[n] <= hi {
		lo, hi = 0x80, 0xBF
		n++
	}
	return n
}

// lead tells how long a character that starts with c is, and between which
// bounds its second byte lies.
func lead(c byte) (n int, lo, hi byte) {
	switch {
	case 0xC2 <= c && c <= 0xDF:
		return 2, 0x80, 0xBF
	case c == 0xE0:
		return 3, 0xA0, 0xBF
	case 0xE1 <= c && c <= 0xEF:
		return 3, 0x80, 0xBF
	case c == 0xF0:
		return 4, 0x90, 0xBF
	case 0xF1 <= c && c <= 0xF3:
		return 4, 0x80, 0xBF
	case c == 0xF4:
		return 4, 0x80, 0x8F
	}
	return 1, 0, 0
}
