package config

import (
	"fmt"
	"strings"
)

type tokenKind int

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenQuoted
	tokenSign
)

// jaasToken is a word, a quoted text or one sign.
type jaasToken struct {
	kind tokenKind
	text string
	line int
}

// String shows the token in messages; quoted texts may be passwords.
func (t jaasToken) String() string {
	switch t.kind {
	case tokenEnd:
		return "the end of the file"
	case tokenQuoted:
		return "a quoted text"
	}
	return fmt.Sprintf("%q", t.text)
}

// jaasLexer cuts a login configuration into tokens as Java's does. Where Java
// would silently take something for a comment or a number, it fails instead.
type jaasLexer struct {
	file string
	src  string
	pos  int
	line int
}

func (l *jaasLexer) fail(msg string) error {
	return &SyntaxError{File: l.file, Line: l.line, Msg: msg}
}

func (l *jaasLexer) next() (jaasToken, error) {
	if err := l.skip(); err != nil {
		return jaasToken{}, err
	}
	t := jaasToken{line: l.line}
	if l.pos == len(l.src) {
		return t, nil
	}
	c := l.src[l.pos]
	switch {
	case c == '"':
		return l.quoted()
	case isWordByte(c):
		return l.word()
	case c == '/' || c == '\'':
		return t, l.fail(fmt.Sprintf("found %q outside of double quotes, want the text in double quotes", c))
	}
	t.kind, t.text = tokenSign, l.src[l.pos:l.pos+1]
	l.pos++
	return t, nil
}

// skip steps over blanks and comments.
func (l *jaasLexer) skip() error {
	for l.pos < len(l.src) {
		rest := l.src[l.pos:]
		switch {
		case rest[0] == '\n':
			l.line++
			l.pos++
		case rest[0] <= ' ':
			l.pos++
		case strings.HasPrefix(rest, "//"):
			l.pos += lineLength(rest)
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				return l.fail("found /* without its */")
			}
			comment := rest[:end+4]
			l.line += strings.Count(comment, "\n")
			l.pos += len(comment)
		default:
			return nil
		}
	}
	return nil
}

func lineLength(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i
	}
	return len(s)
}

func (l *jaasLexer) word() (jaasToken, error) {
	begin := l.pos
	for l.pos < len(l.src) && isWordByte(l.src[l.pos]) {
		l.pos++
	}
	t := jaasToken{kind: tokenWord, text: l.src[begin:l.pos], line: l.line}
	if c := t.text[0]; (c >= '0' && c <= '9') || c == '.' || c == '-' {
		return t, l.fail(fmt.Sprintf("found %s without quotes, want %q", t.text, t.text))
	}
	return t, nil
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80 ||
		c == '.' || c == '-' || c == '_' || c == '$' || c == '*'
}

func (l *jaasLexer) quoted() (jaasToken, error) {
	var b strings.Builder
	for i := l.pos + 1; i < len(l.src); {
		switch c := l.src[i]; c {
		case '"':
			l.pos = i + 1
			return jaasToken{kind: tokenQuoted, text: b.String(), line: l.line}, nil
		case '\n', '\r':
			return jaasToken{}, l.fail("found the end of the line inside of double quotes, want a double quote before it")
		case '\\':
			n, v := escape(l.src[i+1:])
			b.WriteString(v)
			i += 1 + n
		default:
			b.WriteByte(c)
			i++
		}
	}
	return jaasToken{}, l.fail("found the end of the file inside of double quotes")
}

// escape reads what follows a backslash: octal digits, a letter for a control
// character, or the character itself. It returns how much it took.
func escape(s string) (int, string) {
	if s == "" {
		return 0, ""
	}
	if s[0] >= '0' && s[0] <= '7' {
		n, v := 0, rune(0)
		for n < len(s) && n < 3 && s[n] >= '0' && s[n] <= '7' && (n < 2 || s[0] <= '3') {
			v = v<<3 | rune(s[n]-'0')
			n++
		}
		return n, string(v)
	}
	if i := strings.IndexByte("abfnrtv", s[0]); i >= 0 {
		return 1, "\a\b\f\n\r\t\v"[i : i+1]
	}
	return 1, s[:1]
}
