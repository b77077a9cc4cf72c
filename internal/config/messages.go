package config

import (
	"fmt"
	"strings"
)

// Origin is where a value comes from: "zoo.cfg:12", "environment QUOLL_CLIENT_PORT",
// "SERVER_JVMFLAGS -Dzookeeper.snapCount", "flag --client-port" or "default".
type Origin string

// KeyError is a key or value that cannot be used.
type KeyError struct {
	Origin Origin
	Key    string
	// Found is the value, Want says what would be right; empty for an unknown key.
	Found, Want string
	// Suggestion is the key that was likely meant, for unknown ones.
	Suggestion string
}

func (e *KeyError) Error() string {
	if e.Suggestion != "" {
		return fmt.Sprintf("%s: found the unknown key %q, did you mean %q?", e.Origin, e.Key, e.Suggestion)
	}
	if e.Want == "" {
		return fmt.Sprintf("%s: found the unknown key %q", e.Origin, e.Key)
	}
	return fmt.Sprintf("%s: %s: found %s, want %s", e.Origin, e.Key, quoteFound(e.Found), e.Want)
}

func quoteFound(s string) string {
	if s == "" {
		return "nothing"
	}
	const most = 200
	if len(s) > most {
		s = s[:most] + "..."
	}
	return fmt.Sprintf("%q", s)
}

// hidden replaces a secret in messages.
const hidden = "(hidden)"

// Warning is something an operator should know about a configuration that
// can be used.
type Warning struct {
	// Origin is the place, "" when there are several.
	Origin Origin
	Msg    string
}

func (w Warning) String() string {
	if w.Origin == "" {
		return w.Msg
	}
	return string(w.Origin) + ": " + w.Msg
}

// notApplicable makes one warning of all keys that have no use here: names
// with the same reason stand together.
func notApplicable(found []entry) (Warning, bool) {
	if len(found) == 0 {
		return Warning{}, false
	}
	var reasons []string
	names := make(map[string][]string)
	for _, e := range found {
		why := e.key.NotApplicable
		if names[why] == nil {
			reasons = append(reasons, why)
		}
		names[why] = append(names[why], fmt.Sprintf("%s (%s)", e.name, e.origin))
	}
	parts := make([]string, len(reasons))
	for i, why := range reasons {
		parts[i] = strings.Join(names[why], ", ") + ": " + why
	}
	return Warning{Msg: "keys that are not applicable here and have no effect: " + strings.Join(parts, "; ")}, true
}
