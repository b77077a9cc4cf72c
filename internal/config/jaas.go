package config

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// JAAS is the content of a Java login configuration file.
type JAAS struct {
	// File is the name the text was read under.
	File     string
	Sections []JAASSection
}

// JAASSection is one named list of login modules.
type JAASSection struct {
	Name string
	// Line is where it begins, counted from 1.
	Line    int
	Modules []LoginModule
}

// LoginModule is one module of a section.
type LoginModule struct {
	// Class is the Java class named, Flag one of required, requisite,
	// sufficient, optional.
	Class, Flag string
	Line        int
	// Options by name; of a repeated one the last counts.
	Options map[string]string
}

// userPrefix begins the options of DIGEST-MD5 users.
const userPrefix = "user_"

// Section returns the section of that name; nil without one or when it has no
// module. It may be called on nil.
func (j *JAAS) Section(name string) *JAASSection {
	if s := j.find(name); s != nil && len(s.Modules) > 0 {
		return s
	}
	return nil
}

func (j *JAAS) find(name string) *JAASSection {
	if j == nil {
		return nil
	}
	i := slices.IndexFunc(j.Sections, func(s JAASSection) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &j.Sections[i]
}

// Users returns the DIGEST-MD5 users of all modules (options user_NAME) with
// their passwords.
func (s *JAASSection) Users() map[string]string {
	users := make(map[string]string)
	for _, m := range s.Modules {
		for k, v := range m.Options {
			if name, ok := strings.CutPrefix(k, userPrefix); ok {
				users[name] = v
			}
		}
	}
	return users
}

// Kerberos returns the first Kerberos module, false without one.
func (s *JAASSection) Kerberos() (KerberosLogin, bool) {
	for _, m := range s.Modules {
		if !strings.HasSuffix(m.Class, ".Krb5LoginModule") {
			continue
		}
		return KerberosLogin{
			KeyTab:         m.Options["keyTab"],
			Principal:      m.Options["principal"],
			TicketCache:    m.Options["ticketCache"],
			UseKeyTab:      isTrue(m.Options["useKeyTab"]),
			StoreKey:       isTrue(m.Options["storeKey"]),
			UseTicketCache: isTrue(m.Options["useTicketCache"]),
		}, true
	}
	return KerberosLogin{}, false
}

// Credentials returns the user name and password that a client's module has.
func (s *JAASSection) Credentials() (username, password string, ok bool) {
	for _, m := range s.Modules {
		if u, found := m.Options["username"]; found {
			return u, m.Options["password"], true
		}
	}
	return "", "", false
}

// KerberosLogin is what a Krb5LoginModule is told.
type KerberosLogin struct {
	KeyTab, Principal, TicketCache      string
	UseKeyTab, StoreKey, UseTicketCache bool
}

func isTrue(s string) bool { return strings.EqualFold(s, "true") }

// ParseJAAS reads text as Java's login configuration. lookup resolves ${name}
// in values of options; nil resolves user.home, user.dir, java.io.tmpdir, / and
// nothing else. The error is a *[SyntaxError].
func ParseJAAS(file string, text []byte, lookup func(name string) (string, bool)) (*JAAS, error) {
	if lookup == nil {
		lookup = systemProperty
	}
	p := &jaasParser{lex: jaasLexer{file: file, src: string(text), line: 1}, lookup: lookup}
	j := &JAAS{File: file}
	if err := p.advance(); err != nil {
		return nil, err
	}
	for p.tok.kind != tokenEnd {
		s, err := p.section()
		if err != nil {
			return nil, err
		}
		if before := j.find(s.Name); before != nil {
			return nil, p.failAt(s.Line, fmt.Sprintf("found the section %q again, it is in line %d already; want one", s.Name, before.Line))
		}
		j.Sections = append(j.Sections, s)
	}
	return j, nil
}

func systemProperty(name string) (string, bool) {
	var v string
	var err error
	switch name {
	case "/":
		return "/", true
	case "user.home":
		v, err = os.UserHomeDir()
	case "user.dir":
		v, err = os.Getwd()
	case "java.io.tmpdir":
		v = os.TempDir()
	default:
		return "", false
	}
	return v, err == nil
}

type jaasParser struct {
	lex    jaasLexer
	tok    jaasToken
	lookup func(string) (string, bool)
}

func (p *jaasParser) advance() (err error) {
	p.tok, err = p.lex.next()
	return err
}

func (p *jaasParser) failAt(line int, msg string) error {
	return &SyntaxError{File: p.lex.file, Line: line, Msg: msg}
}

func (p *jaasParser) fail(want string) error {
	return p.failAt(p.tok.line, fmt.Sprintf("found %s, want %s", p.tok, want))
}

// word takes a word or quoted text.
func (p *jaasParser) word(want string) (string, error) {
	if p.tok.kind != tokenWord && p.tok.kind != tokenQuoted {
		return "", p.fail(want)
	}
	text := p.tok.text
	return text, p.advance()
}

func (p *jaasParser) sign(c string) error {
	if p.tok.kind != tokenSign || p.tok.text != c {
		return p.fail(c)
	}
	return p.advance()
}

func (p *jaasParser) at(c string) bool { return p.tok.kind == tokenSign && p.tok.text == c }

// section reads `Name { modules };`.
func (p *jaasParser) section() (JAASSection, error) {
	s := JAASSection{Line: p.tok.line}
	var err error
	if s.Name, err = p.word("the name of a section"); err != nil {
		return s, err
	}
	if err := p.sign("{"); err != nil {
		return s, err
	}
	for !p.at("}") {
		m, err := p.module()
		if err != nil {
			return s, err
		}
		s.Modules = append(s.Modules, m)
	}
	if err := p.advance(); err != nil {
		return s, err
	}
	return s, p.sign(";")
}

// module reads `class flag option=value ... ;`.
func (p *jaasParser) module() (LoginModule, error) {
	m := LoginModule{Line: p.tok.line, Options: make(map[string]string)}
	var err error
	if m.Class, err = p.word("the class of a login module or }"); err != nil {
		return m, err
	}
	line := p.tok.line
	if m.Flag, err = p.word("required, requisite, sufficient or optional"); err != nil {
		return m, err
	}
	m.Flag = strings.ToLower(m.Flag)
	if !slices.Contains([]string{"required", "requisite", "sufficient", "optional"}, m.Flag) {
		return m, p.failAt(line, fmt.Sprintf("found the flag %q, want required, requisite, sufficient or optional", m.Flag))
	}
	for !p.at(";") {
		if err := p.option(m.Options); err != nil {
			return m, err
		}
	}
	return m, p.advance()
}

func (p *jaasParser) option(to map[string]string) error {
	name, err := p.word("an option or ; after the module's options")
	if err != nil {
		return err
	}
	if err := p.sign("="); err != nil {
		return err
	}
	line := p.tok.line
	value, err := p.word(fmt.Sprintf("the value of %s in double quotes", name))
	if err != nil {
		return err
	}
	if value, err = p.expand(value); err != nil {
		return p.failAt(line, fmt.Sprintf("%s: %v", name, err))
	}
	to[name] = value
	return nil
}

// expand resolves ${name}; ${{...}} stays as it is.
func (p *jaasParser) expand(s string) (string, error) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "${")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		if strings.HasPrefix(after, "{") {
			inner, rest, closed := strings.Cut(after, "}}")
			if !closed {
				b.WriteString("${" + after)
				return b.String(), nil
			}
			b.WriteString("${" + inner + "}}")
			s = rest
			continue
		}
		name, rest, closed := strings.Cut(after, "}")
		if !closed {
			b.WriteString("${" + after)
			return b.String(), nil
		}
		v, ok := p.lookup(name)
		if !ok {
			return "", fmt.Errorf("found ${%s}, want a property that is known here: user.home, user.dir, java.io.tmpdir or /", name)
		}
		b.WriteString(v)
		s = rest
	}
}
