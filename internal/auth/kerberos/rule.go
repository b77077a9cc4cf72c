package kerberos

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Rules map principals to local user names (security.auth_to_local).
type Rules struct {
	defaultRealm string
	rules        []rule
}

// rule is one of Rules: DEFAULT, or RULE:[n:format](match)s/from/to/g.
type rule struct {
	text       string
	isDefault  bool
	components int
	format     string
	match      *regexp.Regexp // of the whole string; nil: any
	from       *regexp.Regexp // nil: no substitution
	to         replacement
	all        bool
}

// ErrNoRule marks a name that no rule applies to, or to which one applies in
// vain.
var ErrNoRule = errors.New("no auth_to_local rule for the name")

var ruleForm = regexp.MustCompile(
	`\A\s*(?:(DEFAULT)|RULE:\[(\d*):([^\]]*)](?:\(([^)]*)\))?(?:(s)/([^/]*)/([^/]*)/(g)?)?)`)

// ParseRules reads rules, separated by blanks or by nothing. defaultRealm is the
// one that DEFAULT strips, empty if Kerberos is not configured. Patterns are Go
// regular expressions: look-around and back references are errors.
func ParseRules(rules, defaultRealm string) (*Rules, error) {
	r := &Rules{defaultRealm: defaultRealm}
	for rest := strings.TrimSpace(rules); rest != ""; {
		m := ruleForm.FindStringSubmatch(rest)
		if m == nil {
			return nil, fmt.Errorf("auth_to_local: invalid rule at %q", rest)
		}
		one, err := newRule(m)
		if err != nil {
			return nil, fmt.Errorf("auth_to_local: rule %q: %w", strings.TrimSpace(m[0]), err)
		}
		r.rules = append(r.rules, one)
		rest = rest[len(m[0]):]
	}
	return r, nil
}

// newRule makes a rule from the groups of ruleForm.
func newRule(m []string) (rule, error) {
	text := strings.TrimSpace(m[0])
	if m[1] != "" {
		return rule{text: text, isDefault: true}, nil
	}
	n, err := strconv.ParseInt(m[2], 10, 32)
	if err != nil {
		return rule{}, fmt.Errorf("number of components: %w", err)
	}
	r := rule{text: text, components: int(n), format: m[3], all: m[8] != ""}
	// The groups do not tell "()" from no parentheses; an empty pattern matches
	// only the empty string.
	if m[4] != "" || strings.Contains(text, "]()") {
		if r.match, err = regexp.Compile(`\A(?:` + m[4] + `)\z`); err != nil {
			return rule{}, err
		}
	}
	if m[5] == "" {
		return r, nil
	}
	if r.from, err = regexp.Compile(m[6]); err != nil {
		return rule{}, err
	}
	r.to, err = parseReplacement(m[7], r.from)
	return r, err
}

// ShortName is the local user name of n: n itself if it has neither host nor
// realm. It fails with ErrNoRule.
func (r *Rules) ShortName(n Name) (string, error) {
	if !n.HasHost && !n.HasRealm {
		return n.Service, nil
	}
	params := []string{n.Realm, n.Service}
	if n.HasHost {
		params = append(params, n.Host)
	}
	for i := range r.rules {
		short, ok, err := r.rules[i].apply(params, r.defaultRealm)
		if err != nil {
			return "", fmt.Errorf("%s: %w", n, err)
		}
		if ok {
			return short, nil
		}
	}
	return "", fmt.Errorf("%w: %s", ErrNoRule, n)
}

// apply tells whether the rule applies to params, the realm and the components
// of a name, and to what it maps them.
func (r *rule) apply(params []string, defaultRealm string) (short string, ok bool, err error) {
	switch {
	case r.isDefault:
		short, ok = params[1], params[0] == defaultRealm
	case len(params)-1 == r.components:
		short, err = format(r.format, params)
		if err != nil {
			return "", false, err
		}
		if ok = r.match == nil || r.match.MatchString(short); ok && r.from != nil {
			short = r.substitute(short)
		}
	}
	if ok && strings.ContainsAny(short, "/@") {
		return "", false, fmt.Errorf("%w: %q after rule %s is not a simple name", ErrNoRule, short, r.text)
	}
	return short, ok, nil
}

// format replaces each $n in form by the n-th of params.
func format(form string, params []string) (string, error) {
	var out strings.Builder
	for form != "" {
		text, rest, found := strings.Cut(form, "$")
		out.WriteString(text)
		if !found {
			break
		}
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.Atoi(rest[:digits])
		if err != nil || n >= len(params) {
			return "", fmt.Errorf("%w: $%s is no component of a name with %d", ErrNoRule, rest[:digits], len(params)-1)
		}
		out.WriteString(params[n])
		form = rest[digits:]
	}
	return out.String(), nil
}

// substitute replaces what the rule's pattern matches, the first time or always.
func (r *rule) substitute(s string) string {
	n := 1
	if r.all {
		n = -1
	}
	var out strings.Builder
	last := 0
	for _, m := range r.from.FindAllStringSubmatchIndex(s, n) {
		out.WriteString(s[last:m[0]])
		r.to.expand(&out, s, m)
		last = m[1]
	}
	out.WriteString(s[last:])
	return out.String()
}
