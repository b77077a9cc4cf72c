package sasl

import "strings"

// maxToken bounds the tokens of DIGEST-MD5 in bytes, as Java's mechanism does.
const maxToken = 4096

// directives are the name=value pairs of a DIGEST-MD5 token, by lower case name.
type directives map[string]string

// parseDirectives reads a token: pairs separated by commas or blanks, values
// plain or quoted. A name in once may occur once only; repeated other ones are
// skipped.
func parseDirectives(token []byte, once []string) (directives, error) {
	p := &directiveParser{rest: token}
	out := directives{}
	for {
		p.skip(" \t\r\n,")
		if len(p.rest) == 0 {
			return out, nil
		}
		name, value, err := p.pair()
		if err != nil {
			return nil, err
		}
		if _, again := out[name]; again && contains(once, name) {
			return nil, refuse("more than one %s directive", name)
		} else if !again {
			out[name] = value
		}
	}
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

type directiveParser struct{ rest []byte }

func (p *directiveParser) skip(set string) {
	for len(p.rest) > 0 && strings.IndexByte(set, p.rest[0]) >= 0 {
		p.rest = p.rest[1:]
	}
}

const blanks = " \t\r\n"

// pair reads one directive. The last of a token may lack its value.
func (p *directiveParser) pair() (name, value string, err error) {
	n := 0
	for n < len(p.rest) && strings.IndexByte("=,"+blanks, p.rest[n]) < 0 {
		n++
	}
	name = strings.ToLower(string(p.rest[:n]))
	if n == len(p.rest) {
		p.rest = nil
		return name, "", nil
	}
	p.rest = p.rest[n:]
	p.skip(blanks)
	switch {
	case len(p.rest) == 0 || p.rest[0] != '=':
		return "", "", refuse("'=' expected after directive %q", name)
	case name == "":
		return "", "", refuse("directive without name")
	}
	p.rest = p.rest[1:]
	p.skip(blanks)
	if len(p.rest) == 0 {
		return "", "", refuse("directive %q without value", name)
	}
	if p.rest[0] == '"' {
		value, err = p.quoted()
		return name, value, err
	}
	return name, p.plain(), nil
}

func (p *directiveParser) plain() string {
	n := 0
	for n < len(p.rest) && strings.IndexByte(","+blanks, p.rest[n]) < 0 {
		n++
	}
	v := string(p.rest[:n])
	p.rest = p.rest[n:]
	return v
}

// quoted reads a value in quotes, where a backslash takes the next byte as it
// is. A separator must follow.
func (p *directiveParser) quoted() (string, error) {
	var v []byte
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; c {
		case '\\':
			if i++; i < len(p.rest) {
				v = append(v, p.rest[i])
			}
		case '"':
			p.rest = p.rest[i+1:]
			if len(p.rest) > 0 && strings.IndexByte(","+blanks, p.rest[0]) < 0 {
				return "", refuse("comma expected after quoted value")
			}
			return string(v), nil
		default:
			v = append(v, c)
		}
	}
	return "", refuse("unmatched quote in a directive")
}

// appendQuoted appends name="value" with what is special escaped.
func appendQuoted(b []byte, name, value string) []byte {
	b = append(append(b, name...), '=', '"')
	for i := range len(value) {
		c := value[i]
		if c == '"' || c == '\\' || c == 127 || c < 32 && c != '\r' && c != '\n' && c != '\t' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return append(b, '"')
}
