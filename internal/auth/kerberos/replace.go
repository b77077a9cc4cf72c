package kerberos

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// replacement is what a pattern's match is replaced by, in Java's syntax: $1 or
// ${name} is a group, a backslash takes the next character as it is.
type replacement []piece

// piece is a text, or a group if that is not negative.
type piece struct {
	text  string
	group int
}

func parseReplacement(s string, re *regexp.Regexp) (replacement, error) {
	var out replacement
	for s != "" {
		i := strings.IndexAny(s, `\$`)
		if i < 0 {
			return append(out, piece{text: s, group: -1}), nil
		}
		if i > 0 {
			out = append(out, piece{text: s[:i], group: -1})
		}
		special, rest := s[i], s[i+1:]
		if rest == "" {
			return nil, errors.New("replacement ends in a backslash or dollar sign")
		}
		if special == '\\' {
			out = append(out, piece{text: rest[:1], group: -1})
			s = rest[1:]
			continue
		}
		group, used, err := groupRef(rest, re)
		if err != nil {
			return nil, err
		}
		out = append(out, piece{group: group})
		s = rest[used:]
	}
	return out, nil
}

// groupRef reads what follows a dollar sign. A number takes as many digits as
// there are groups for.
func groupRef(s string, re *regexp.Regexp) (group, used int, err error) {
	if s[0] == '{' {
		name, _, closed := strings.Cut(s[1:], "}")
		if group = re.SubexpIndex(name); !closed || group < 0 {
			return 0, 0, fmt.Errorf("replacement names group {%s}, which the pattern does not have", name)
		}
		return group, len(name) + 2, nil
	}
	for used < len(s) && '0' <= s[used] && s[used] <= '9' {
		next := group*10 + int(s[used]-'0')
		if used > 0 && next > re.NumSubexp() {
			break
		}
		group = next
		used++
	}
	if used == 0 || group > re.NumSubexp() {
		return 0, 0, fmt.Errorf("replacement refers to group $%.3s, which the pattern does not have", s)
	}
	return group, used, nil
}

// expand writes the replacement of the match m (pairs of offsets) in s.
func (r replacement) expand(out *strings.Builder, s string, m []int) {
	for _, p := range r {
		switch {
		case p.group < 0:
			out.WriteString(p.text)
		case m[2*p.group] >= 0:
			out.WriteString(s[m[2*p.group]:m[2*p.group+1]])
		}
	}
}
