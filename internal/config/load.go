package config

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"
)

// Load reads all sources and returns the configuration, what an operator
// should be told about it, and all errors joined. With an error, the
// configuration is of no use but for Log, and the warnings stand nevertheless.
func Load(src Sources) (Config, []Warning, error) {
	c := newCollector(allKeys())
	if src.File != "" && !c.file(src.File) {
		return Config{}, c.warnings, errors.Join(c.errs...) // what else is wrong can only be guessed
	}
	for _, variable := range []string{"SERVER_JVMFLAGS", "JVMFLAGS"} {
		c.jvmFlags(variable, lookupEnv(src.Env, variable))
	}
	c.environment(src.Env)
	c.flags(src.Flags)

	cfg := defaults(c.keys)
	cfg.File, cfg.FileText = src.File, c.text
	c.apply(&cfg)
	c.finish(&cfg)
	c.ignoredFlags()
	c.clients(&cfg)
	return cfg, c.warnings, errors.Join(c.errs...)
}

// lookupEnv returns the last value of a variable, as the system has it.
func lookupEnv(env []string, name string) string {
	for _, kv := range slices.Backward(env) {
		if k, v, _ := strings.Cut(kv, "="); k == name {
			return v
		}
	}
	return ""
}

// defaults returns the configuration when nothing is set.
func defaults(t *table) Config {
	var cfg Config
	for i := range t.keys {
		k := &t.keys[i]
		if k.Default == "" || k.set == nil {
			continue
		}
		if err := k.set(&cfg, "", k.Default); err != nil {
			panic("config: the default of " + k.Name + " is not a value of it: " + err.Error())
		}
	}
	return cfg
}

// apply stores all settings, in the order of the table and of the suffixes.
func (c *collector) apply(cfg *Config) {
	var unused []entry
	for _, e := range c.sorted() {
		if e.key.NotApplicable != "" {
			unused = append(unused, e)
			continue
		}
		if err := e.key.set(cfg, e.suffix, e.value); err != nil {
			found := e.value
			if e.key.Kind == KindSecret {
				found = hidden
			}
			c.fail(&KeyError{Origin: e.origin, Key: e.name, Found: found, Want: strings.TrimPrefix(err.Error(), "want ")})
		}
	}
	if w, ok := notApplicable(unused); ok {
		c.warnings = append(c.warnings, w)
	}
}

func (c *collector) sorted() []entry {
	order := make(map[*Key]int, len(c.keys.keys))
	for i := range c.keys.keys {
		order[&c.keys.keys[i]] = i
	}
	all := make([]entry, 0, len(c.entries))
	for _, e := range c.entries {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b entry) int {
		return cmp.Or(cmp.Compare(order[a.key], order[b.key]), compareSuffix(a.suffix, b.suffix))
	})
	return all
}

// compareSuffix orders 2 before 10.
func compareSuffix(a, b string) int {
	if isDigits(a) && isDigits(b) {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	}
	return cmp.Compare(a, b)
}

func ticks(cfg *Config, n int) time.Duration { return time.Duration(n) * cfg.TickTime }
