package config

import (
	"strings"
	"sync"
	"unicode"
)

// Key describes one key of the configuration.
type Key struct {
	// Name is the key as zoo.cfg has it. A name that ends in ".N" or ".X"
	// stands for all keys with its beginning.
	Name string
	// Group is the section of the documentation.
	Group string
	Kind  Kind
	// Default is the text that would give the default, "" for none.
	Default string
	// Want says what a value has to be.
	Want string
	// Help says what it does.
	Help string
	// NotApplicable says why this server has no use for the key; empty for
	// keys that it applies.
	NotApplicable string
	// FromFile is true for keys that Apache reads from zoo.cfg itself and not
	// from a system property.
	FromFile bool
	// Raw is true for keys that Apache reads from the system property without
	// "zookeeper." before it.
	Raw bool
	// Own is true for keys that Apache does not have.
	Own bool

	// set stores a value; suffix is what stands for N or X.
	set func(c *Config, suffix, value string) error
	// alsoRaw allows the property without "zookeeper." beside the one with it.
	alsoRaw bool
	// empty allows a value of no characters.
	empty bool
}

// Env returns the name of the environment variable for the key: QUOLL_ and the
// words of the name in capitals, as QUOLL_CLIENT_PORT for clientPort.
func (k Key) Env() string { return envName(k.Name) }

// Flag returns the name of the command line flag for the key, without dashes.
func (k Key) Flag() string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(k.Env(), envPrefix)), "_", "-")
}

// Property returns the name of Apache's system property, "" when it has none.
func (k Key) Property() string {
	switch {
	case k.Own || k.FromFile:
		return ""
	case k.Raw:
		return k.Name
	}
	return propertyPrefix + k.Name
}

// prefix returns the beginning that all keys of a pattern share, "" for a
// single key.
func (k Key) prefix() string {
	if strings.HasSuffix(k.Name, ".N") || strings.HasSuffix(k.Name, ".X") {
		return k.Name[:len(k.Name)-1]
	}
	return ""
}

const (
	envPrefix      = "QUOLL_"
	propertyPrefix = "zookeeper."
)

// envName splits name into words at '.', '-' and before capitals that begin one.
func envName(name string) string {
	var b strings.Builder
	b.WriteString(envPrefix)
	rs := []rune(name)
	for i, r := range rs {
		if r == '.' || r == '-' || r == '_' {
			b.WriteByte('_')
			continue
		}
		if i > 0 && unicode.IsUpper(r) && isWordStart(rs, i) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}

func isWordStart(rs []rune, i int) bool {
	prev := rs[i-1]
	if unicode.IsLower(prev) || unicode.IsDigit(prev) {
		return true
	}
	return unicode.IsUpper(prev) && i+1 < len(rs) && unicode.IsLower(rs[i+1])
}

// wantError is a value's failure; the text says what would be right.
type wantError string

func (e wantError) Error() string { return "want " + string(e) }

// option changes a key while the table is built.
type option func(*Key)

func fromFile(k *Key)   { k.FromFile = true }
func raw(k *Key)        { k.Raw = true }
func alsoRaw(k *Key)    { k.alsoRaw = true }
func own(k *Key)        { k.Own = true }
func mayBeEmpty(k *Key) { k.empty = true }

// key builds a single key whose value goes to field.
func key[T any](name string, s spec[T], def, help string, field func(*Config) *T, opts ...option) Key {
	k := Key{Name: name, Kind: s.kind, Default: def, Want: s.want, Help: help}
	k.set = func(c *Config, _, value string) error {
		v, ok := s.parse(value)
		if !ok {
			return wantError(s.want)
		}
		*field(c) = v
		return nil
	}
	for _, o := range opts {
		o(&k)
	}
	return k
}

// family builds a pattern of keys.
func family(name, want, help string, set func(c *Config, suffix, value string) error, opts ...option) Key {
	k := Key{Name: name, Kind: KindString, Want: want, Help: help, set: set}
	for _, o := range opts {
		o(&k)
	}
	return k
}

// unused builds keys that this server has no use for.
func unused(why string, names ...string) []Key {
	keys := make([]Key, len(names))
	for i, n := range names {
		keys[i] = Key{Name: n, Kind: KindString, NotApplicable: why, empty: true}
	}
	return keys
}

// group sets the section of keys.
func group(name string, keys ...Key) []Key {
	for i := range keys {
		keys[i].Group = name
	}
	return keys
}

// table is the set of all keys; it is never changed once built.
type table struct {
	keys     []Key
	byName   map[string]*Key
	byEnv    map[string]*Key
	patterns []*Key
}

var allKeys = sync.OnceValue(func() *table { return newTable(serverKeys()) })

// Keys returns all keys, in the order of the documentation. The caller may
// change the slice.
func Keys() []Key { return append([]Key(nil), allKeys().keys...) }

func newTable(keys []Key) *table {
	t := &table{keys: keys, byName: make(map[string]*Key, len(keys)), byEnv: make(map[string]*Key, len(keys))}
	for i := range keys {
		k := &keys[i]
		if k.prefix() != "" {
			t.patterns = append(t.patterns, k)
			continue
		}
		t.byName[k.Name] = k
		if other := t.byEnv[k.Env()]; other == nil || other.NotApplicable != "" {
			t.byEnv[k.Env()] = k
		}
	}
	return t
}

// find returns the key that name means and what stands for N or X in it.
func (t *table) find(name string) (k *Key, suffix string) {
	if k, ok := t.byName[name]; ok {
		return k, ""
	}
	for _, k := range t.patterns {
		if rest, ok := strings.CutPrefix(name, k.prefix()); ok && rest != "" {
			return k, rest
		}
	}
	return nil, ""
}

// findEnv is find for a variable's name; name is the key's name in zoo.cfg.
func (t *table) findEnv(variable string) (k *Key, name string) {
	if k, ok := t.byEnv[variable]; ok {
		return k, k.Name
	}
	for _, k := range t.patterns {
		prefix := strings.TrimSuffix(envName(k.Name), k.Name[len(k.Name)-1:])
		rest, ok := strings.CutPrefix(variable, prefix)
		if !ok || rest == "" || (strings.HasSuffix(k.Name, ".N") && !isDigits(rest)) {
			continue
		}
		return k, k.prefix() + rest
	}
	return nil, ""
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
