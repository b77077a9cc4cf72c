package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
)

// Property is one key=value of a Java properties file.
type Property struct {
	// Key and Value are unescaped but not trimmed.
	Key, Value string
	// Line is where the logical line begins, counted from 1.
	Line int
}

// SyntaxError says where a configuration text cannot be read.
type SyntaxError struct {
	// File is the name the text was given under.
	File string
	// Line is counted from 1.
	Line int
	// Msg says what was found and what would be right.
	Msg string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg) }

// ParseProperties reads text as java.util.Properties.load does: bytes are
// ISO-8859-1, a logical line goes on after an odd number of backslashes at its
// end, '#' and '!' begin comments, the first unescaped '=', ':' or blank ends
// the key. Entries come in the order of the file and may repeat a key. Lines that
// cannot be read are left out; the error joins a *[SyntaxError] for each.
func ParseProperties(file string, text []byte) ([]Property, error) {
	r := lineReader{src: text, line: 1}
	var props []Property
	var errs []error
	for {
		raw, line, ok := r.next()
		if !ok {
			return props, errors.Join(errs...)
		}
		key, value := splitProperty(raw)
		k, err := unescape(key)
		if err == nil {
			value, err = unescape(value)
		}
		if err != nil {
			errs = append(errs, &SyntaxError{File: file, Line: line, Msg: err.Error()})
			continue
		}
		props = append(props, Property{Key: k, Value: value, Line: line})
	}
}

// lineReader yields logical lines: comments and blank lines dropped,
// continued lines joined, leading blanks of each natural line removed.
type lineReader struct {
	src  []byte
	pos  int
	line int // number of the natural line at pos
	from int // where the logical line that was returned last begins
}

// next returns the next logical line and the number of its first natural line.
func (r *lineReader) next() (raw string, first int, ok bool) {
	var buf []byte
	for r.pos < len(r.src) {
		if !r.skipIndent(len(buf) == 0) {
			continue
		}
		if len(buf) == 0 {
			if c := r.src[r.pos]; c == '#' || c == '!' {
				r.skipLine()
				continue
			}
			first, r.from = r.line, r.pos
		}
		body := r.naturalLine()
		if !endsInOddBackslashes(body) {
			return string(append(buf, body...)), first, true
		}
		buf = append(buf, body[:len(body)-1]...)
		if r.pos == len(r.src) && !bytes.HasSuffix(r.src, []byte("\r\n")) {
			// Java makes an entry of a lone backslash at the very end.
			return string(buf), first, true
		}
	}
	return string(buf), first, len(buf) > 0
}

// skipIndent skips blanks and, at the beginning of a logical line, blank lines.
// False means the end of the text, or (in a continuation) a line that holds
// nothing.
func (r *lineReader) skipIndent(fresh bool) bool {
	for r.pos < len(r.src) {
		switch r.src[r.pos] {
		case ' ', '\t', '\f':
			r.pos++
		case '\r', '\n':
			if !fresh {
				return true
			}
			r.eol()
		default:
			return true
		}
	}
	return false
}

// naturalLine returns the text up to the line end and steps over the line end.
func (r *lineReader) naturalLine() []byte {
	begin := r.pos
	for r.pos < len(r.src) && r.src[r.pos] != '\n' && r.src[r.pos] != '\r' {
		r.pos++
	}
	body := r.src[begin:r.pos]
	r.eol()
	return body
}

func (r *lineReader) skipLine() { r.naturalLine() }

// eol steps over one line end, "\r\n" being one.
func (r *lineReader) eol() {
	if r.pos >= len(r.src) {
		return
	}
	if r.src[r.pos] == '\r' && r.pos+1 < len(r.src) && r.src[r.pos+1] == '\n' {
		r.pos++
	}
	r.pos++
	r.line++
}

func endsInOddBackslashes(b []byte) bool {
	n := 0
	for n < len(b) && b[len(b)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// splitProperty cuts a logical line into the still escaped key and value.
func splitProperty(line string) (key, value string) {
	end, escaped := 0, false
	for end < len(line) {
		c := line[end]
		if !escaped && (c == '=' || c == ':' || isBlank(c)) {
			break
		}
		escaped = c == '\\' && !escaped
		end++
	}
	rest, separated := end, false
	for rest < len(line) {
		c := line[rest]
		if !isBlank(c) {
			if separated || (c != '=' && c != ':') {
				break
			}
			separated = true
		}
		rest++
	}
	return line[:end], line[rest:]
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\f' }

// unescape resolves backslash sequences; \uXXXX are UTF-16 units as in Java.
func unescape(s string) (string, error) {
	units := make([]uint16, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			if s[i] != '\\' {
				units = append(units, uint16(s[i]))
			}
			continue
		}
		i++
		if s[i] != 'u' {
			units = append(units, uint16(escapeUnit(s[i])))
			continue
		}
		u, err := hexUnit(s[i+1:])
		if err != nil {
			return "", err
		}
		units = append(units, u)
		i += 4
	}
	return string(utf16.Decode(units)), nil
}

func escapeUnit(c byte) byte {
	switch c {
	case 't':
		return '\t'
	case 'r':
		return '\r'
	case 'n':
		return '\n'
	case 'f':
		return '\f'
	}
	return c
}

func hexUnit(s string) (uint16, error) {
	if len(s) > 4 {
		s = s[:4]
	}
	var u uint16
	for i := range len(s) {
		d := strings.IndexByte("0123456789abcdef", s[i]|0x20)
		if d < 0 || (s[i] < 'A' && s[i] > '9') {
			return 0, badUnit(s)
		}
		u = u<<4 | uint16(d)
	}
	if len(s) < 4 {
		return 0, badUnit(s)
	}
	return u, nil
}

func badUnit(s string) error {
	return fmt.Errorf("found the escape %q, want \\u and four hexadecimal digits (write a plain backslash as \\\\)", `\u`+s)
}

// javaTrim is String.trim: characters up to and including the space go.
func javaTrim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

func utf16Units(r rune) []uint16 { return utf16.AppendRune(nil, r) }
