package config

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Sources are where settings come from, each stronger than those before it:
// defaults, the file, -D properties of SERVER_JVMFLAGS and then JVMFLAGS,
// QUOLL_ variables, flags.
type Sources struct {
	// File is the path of zoo.cfg, "" for none.
	File string
	// Env is the environment as os.Environ returns it.
	Env []string
	// Flags are values of command line flags by the keys' names in zoo.cfg.
	Flags map[string]string
}

// maxFile bounds configuration files; the largest sensible one is far smaller.
const maxFile = 4 << 20

// entry is one setting on its way from a source to the configuration.
type entry struct {
	key    *Key
	name   string // the key's name with what stands for N or X
	suffix string
	value  string
	origin Origin
}

// collector gathers the settings of all sources.
type collector struct {
	keys *table
	// others are keys of another program that shares the environment and are
	// passed over; nil for none.
	others   *table
	entries  map[string]entry
	errs     []error
	warnings []Warning
	text     string   // the file as read
	ignored  []string // JVM flags without meaning here
	badMyID  bool     // the file myid cannot be read
	// badMembers: who the members are, and with them their ports, cannot be told.
	badMembers bool
}

func newCollector(t *table) *collector {
	return &collector{keys: t, entries: make(map[string]entry)}
}

func (c *collector) fail(err error) { c.errs = append(c.errs, err) }

func (c *collector) warn(o Origin, format string, args ...any) {
	c.warnings = append(c.warnings, Warning{Origin: o, Msg: fmt.Sprintf(format, args...)})
}

// file reads path as zoo.cfg, as far as it can be read.
func (c *collector) file(path string) (read bool) {
	props, text, err := readProperties(path)
	if err != nil {
		c.fail(err)
	}
	c.text = string(text)
	c.fileProperties(path, text, props)
	return text != nil
}

func readProperties(path string) ([]Property, []byte, error) {
	text, err := readBounded(path, maxFile)
	if err != nil {
		return nil, nil, err
	}
	props, err := ParseProperties(path, text)
	return props, text, err
}

// readBounded reads a whole file that is not larger than most bytes.
func readBounded(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading configuration: %w", err)
	}
	if info.IsDir() || info.Size() > most {
		return nil, fmt.Errorf("reading configuration: %s is a directory or larger than %d bytes, want a configuration file", path, most)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading configuration: %w", err)
	}
	return text, nil
}

func (c *collector) fileProperties(path string, text []byte, props []Property) {
	lines := make(map[string]int)
	for _, p := range props {
		o := Origin(fmt.Sprintf("%s:%d", path, p.Line))
		name := strings.TrimPrefix(javaTrim(p.Key), propertyPrefix)
		if before, dup := lines[name]; dup {
			c.warn(o, "%s is set a second time; line %d has no effect", name, before)
		}
		lines[name] = p.Line
		c.add(name, javaTrim(p.Value), o)
		if k, _ := c.keys.find(name); k != nil && k.Raw && k.NotApplicable == "" {
			c.warn(o, "%s is applied here, but Apache reads it from -D%s only", name, k.Name)
		}
	}
	if !isASCII(text) && utf8.Valid(text) {
		c.warn(Origin(path), "holds characters beyond ASCII; they are read as ISO-8859-1 as Apache does, write them as \\uXXXX")
	}
}

func isASCII(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c >= utf8.RuneSelf })
}

// add takes a setting with the key's name in zoo.cfg.
func (c *collector) add(name, value string, o Origin) {
	k, suffix := c.keys.find(name)
	if k == nil {
		c.unknown(name, o)
		return
	}
	if value == "" && !k.empty && !k.FromFile {
		c.warn(o, "%s has no value and is left out", name)
		return
	}
	c.entries[name] = entry{key: k, name: name, suffix: suffix, value: value, origin: o}
}

func (c *collector) unknown(name string, o Origin) {
	if c.foreign(name) {
		return
	}
	if s := c.keys.suggest(name); s != "" {
		c.fail(&KeyError{Origin: o, Key: name, Suggestion: s})
		return
	}
	c.warn(o, "the key %q is unknown and has no effect", name)
}

// foreign tells keys that belong to another program.
func (c *collector) foreign(name string) bool {
	if c.others == nil {
		return false
	}
	k, _ := c.others.find(name)
	return k != nil
}

// jvmFlags takes the -D properties of one variable.
func (c *collector) jvmFlags(variable, text string) {
	flags, err := ParseJVMFlags(text)
	if err != nil {
		c.fail(fmt.Errorf("environment %s: %w", variable, err))
		return
	}
	c.ignored = append(c.ignored, flags.Others...)
	for _, p := range flags.Properties {
		o := Origin(variable + " -D" + p.Key)
		if name, ok := strings.CutPrefix(p.Key, propertyPrefix); ok {
			c.add(name, p.Value, o)
		} else if k, _ := c.keys.find(p.Key); k != nil && (k.Raw || k.alsoRaw) {
			c.add(p.Key, p.Value, o)
		} else {
			c.ignored = append(c.ignored, "-D"+p.Key)
		}
	}
}

// serviceLink matches the variables Kubernetes makes for a service whose name
// begins with "quoll".
var serviceLink = regexp.MustCompile(`_SERVICE_(HOST|PORT(_.*)?)$|_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$`)

// environment takes the QUOLL_ variables.
func (c *collector) environment(env []string) {
	for _, kv := range slices.Sorted(slices.Values(env)) {
		name, value, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, envPrefix) || value == "" {
			continue
		}
		o := Origin("environment " + name)
		k, key := c.keys.findEnv(name)
		switch {
		case serviceLink.MatchString(name):
		case strings.HasSuffix(name, "_PORT") && strings.Contains(value, "://"):
			c.warn(o, "holds %q, an address that Kubernetes sets for a service, and is left out (enableServiceLinks: false avoids it)", value)
		case k == nil:
			c.unknownVariable(name, o)
		default:
			c.add(key, value, o)
		}
	}
}

// unknownVariable only warns: the environment is shared with others.
func (c *collector) unknownVariable(name string, o Origin) {
	if slices.Contains(foreignVariables, name) || c.others != nil {
		return
	}
	if s := c.keys.suggest(strings.TrimPrefix(name, envPrefix)); s != "" {
		c.warn(o, "no key has this variable, did you mean %s?", envName(s))
		return
	}
	c.warn(o, "no key has this variable")
}

// foreignVariables are read by other parts of quoll, and by its tests and scripts.
var foreignVariables = []string{envPrefix + "CONFIG", envPrefix + "SERVER", envPrefix + "HISTORY", envPrefix + "CACHE"}

func (c *collector) flags(flags map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		k, _ := c.keys.find(name)
		if k == nil { // only --set takes any name
			c.fail(&KeyError{Origin: Origin("--set " + name), Key: name, Suggestion: c.keys.suggest(name)})
			continue
		}
		c.add(name, flags[name], Origin("flag --"+flagName(name)))
	}
}

func flagName(name string) string { return Key{Name: name}.Flag() }

func (c *collector) ignoredFlags() {
	if len(c.ignored) > 0 {
		c.warn("", "JVM flags that have no meaning here: %s", strings.Join(c.ignored, " "))
	}
}

// origin returns where a key was set.
func (c *collector) origin(name string) Origin {
	if e, ok := c.entries[name]; ok {
		return e.origin
	}
	return "default"
}
