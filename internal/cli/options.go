package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// option is a flag of a command.
type option struct {
	name  string // without hyphens
	value string // what its value is called in help; "" if it takes none
	help  string
	group string // of options with the same group, one may be given
	own   bool   // Apache's CLI lacks it: wrong calls, whose output is the same, do not tell of it
}

// parsed is a command line taken apart.
type parsed struct {
	args   []string // without the command
	values map[string]string
}

func (p *parsed) has(name string) bool {
	_, ok := p.values[name]
	return ok
}

func (p *parsed) arg(i int) string {
	if i >= len(p.args) {
		return ""
	}
	return p.args[i]
}

// integer is the value of an option that is a number, or otherwise if it was
// not given.
func (p *parsed) integer(name string, bits int, otherwise int64) (int64, error) {
	v, ok := p.values[name]
	if !ok {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(v, 10, bits)
	if err != nil {
		return 0, failf("-%s must be followed by a number, not %q", name, v)
	}
	return n, nil
}

// parser takes the words after a command apart as Apache's CLI does (by
// commons-cli): options may stand anywhere, those of one letter may be joined,
// a value may be the next word, be joined, or follow an equals sign. A word
// "--" ends the options.
type parser struct {
	options []option
	out     parsed
	open    *option // waits for its value
}

func parseOptions(options []option, words []string) (*parsed, error) {
	p := &parser{options: options, out: parsed{values: map[string]string{}}}
	for i, w := range words {
		if w == "--" && p.open == nil {
			p.out.args = append(p.out.args, words[i+1:]...)
			break
		}
		if err := p.word(w); err != nil {
			return nil, err
		}
	}
	if p.open != nil {
		return nil, failf("Missing argument for option: %s", p.open.name)
	}
	return &p.out, nil
}

func (p *parser) find(name string) *option {
	i := slices.IndexFunc(p.options, func(o option) bool { return o.name == name })
	if i < 0 {
		return nil
	}
	return &p.options[i]
}

func (p *parser) word(w string) error {
	switch {
	case p.open != nil && !p.looksLikeOption(w):
		p.set(p.open, unquote(w))
		return nil
	case p.open != nil:
		return failf("Missing argument for option: %s", p.open.name)
	case len(w) > 1 && w[0] == '-':
		return p.flag(w)
	}
	p.out.args = append(p.out.args, w)
	return nil
}

// looksLikeOption tells whether a word where a value is due is an option.
func (p *parser) looksLikeOption(w string) bool {
	if len(w) < 2 || w[0] != '-' {
		return false
	}
	if _, err := strconv.ParseFloat(w, 64); err == nil {
		return false
	}
	name, _, _ := strings.Cut(strings.TrimLeft(w, "-"), "=")
	if p.find(name) != nil {
		return true
	}
	return !strings.HasPrefix(w, "--") && name != "" && p.find(name[:1]) != nil
}

func (p *parser) flag(w string) error {
	name, value, hasValue := strings.Cut(strings.TrimLeft(w, "-"), "=")
	if o := p.find(name); o != nil {
		return p.take(o, w, value, hasValue)
	}
	if strings.HasPrefix(w, "--") || hasValue && len(name) == 1 {
		return failf("Unrecognized option: %s", w)
	}
	return p.joined(w)
}

// take handles an option that was found by its whole name.
func (p *parser) take(o *option, w, value string, hasValue bool) error {
	if hasValue && o.value == "" {
		return failf("Unrecognized option: %s", w)
	}
	if err := p.exclusive(o); err != nil {
		return err
	}
	if o.value != "" && !hasValue {
		p.open = o
		return nil
	}
	p.set(o, value)
	return nil
}

// joined handles several options of one letter in one word, the last of which
// may be followed by its value.
func (p *parser) joined(w string) error {
	for i := 1; i < len(w); i++ {
		o := p.find(w[i : i+1])
		if o == nil {
			return failf("Unrecognized option: %s", w)
		}
		if err := p.exclusive(o); err != nil {
			return err
		}
		if o.value == "" {
			p.set(o, "")
			continue
		}
		if rest := w[i+1:]; rest != "" {
			p.set(o, unquote(strings.TrimPrefix(rest, "=")))
		} else {
			p.open = o
		}
		return nil
	}
	return nil
}

// exclusive refuses a second option of one group.
func (p *parser) exclusive(o *option) error {
	for _, other := range p.options {
		if o.group != "" && other.group == o.group && other.name != o.name && p.out.has(other.name) {
			return failf("The option '%s' was specified but an option from this group has already been selected: '%s'", o.name, other.name)
		}
	}
	return nil
}

func (p *parser) set(o *option, value string) {
	p.open = nil
	if _, ok := p.out.values[o.name]; !ok { // the first one counts
		p.out.values[o.name] = value
	}
}

// unquote strips one pair of double quotes.
func unquote(s string) string {
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' && !strings.Contains(s[1:len(s)-1], `"`) {
		return s[1 : len(s)-1]
	}
	return s
}

// describe lays options out, one a line, sorted.
func describe(options []option) string {
	type row struct{ left, help string }
	rows := make([]row, 0, len(options))
	width := 0
	sorted := slices.SortedFunc(slices.Values(options), func(a, b option) int {
		return strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name))
	})
	for _, o := range sorted {
		left := " -" + o.name
		if len(o.name) > 1 {
			left = " --" + o.name
		}
		if o.value != "" {
			left += " <" + o.value + ">"
		}
		rows = append(rows, row{left, o.help})
		width = max(width, len(left))
	}
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "%-*s   %s\n", width, r.left, r.help)
	}
	return b.String()
}
