package configcenter

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/quollhq/quoll/client"
)

// The failures.
var (
	// ErrInvalid marks a name, a change or a record that is none.
	ErrInvalid = errors.New("invalid")
	// ErrConflict is what a publication fails with that is based on another
	// revision than the last one.
	ErrConflict = errors.New("somebody else has published meanwhile")
	// ErrUnchanged is what a publication fails with that would change nothing.
	ErrUnchanged = errors.New("nothing to change")
	// ErrTooLarge is what a publication fails with that does not fit into a packet.
	ErrTooLarge = errors.New("too large for one publication")
	// ErrUnknown is what asking for a revision, or a canary, fails with that is
	// not there.
	ErrUnknown = errors.New("unknown")
)

// SharedContext holds the properties of all applications.
const SharedContext = "application"

// ContextName names the context of an application, or SharedContext, in a profile;
// an empty profile stands for all.
func ContextName(application, profile string) string {
	if profile == "" {
		return application
	}
	return application + "," + profile
}

// App is a program that uses configuration.
type App struct {
	// Name is the application's; Spring's spring.application.name.
	Name string
	// Profiles are those that are active, the last one winning.
	Profiles []string
	// Environment is one more profile, which wins over the others.
	Environment string
	// Instance tells the running program from others of the same name. It is
	// listed as a subscriber, and canaries choose by it. Empty: a random one.
	Instance string
	// Labels are what canaries choose by, too.
	Labels map[string]string
}

// Contexts are the contexts whose properties the program sees, those that win
// last: application; application,PROFILE...; NAME; NAME,PROFILE...
func (a App) Contexts() []string {
	profiles := slices.Clone(a.Profiles)
	if a.Environment != "" {
		profiles = append(profiles, a.Environment)
	}
	var all []string
	for _, name := range []string{SharedContext, a.Name} {
		if name == "" || slices.Contains(all, name) {
			continue
		}
		all = append(all, name)
		for _, profile := range profiles {
			all = append(all, ContextName(name, profile))
		}
	}
	return all
}

// checkName validates the name of a context, a canary or an instance.
func checkName(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: %s without a name", ErrInvalid, what)
	case strings.Contains(name, "/"):
		return fmt.Errorf("%w: %s %q: there is a slash in its name", ErrInvalid, what, name)
	}
	if err := client.ValidatePath("/" + name); err != nil {
		return fmt.Errorf("%w: %s %q: %w", ErrInvalid, what, name, err)
	}
	return nil
}

// checkNew validates what is about to be published: besides being names, the context is
// one that programs look for, NAME or NAME,PROFILE, and nothing has blanks in it.
func checkNew(context string, set map[string]string) error {
	parts := strings.Split(context, ",")
	if len(parts) > 2 || slices.Contains(parts, "") || strings.ContainsFunc(context, unicode.IsSpace) {
		return fmt.Errorf("%w: context %q: no program reads it, it is not NAME or NAME,PROFILE without blanks", ErrInvalid, context)
	}
	for _, key := range slices.Sorted(maps.Keys(set)) {
		if strings.ContainsFunc(key, unicode.IsSpace) {
			return fmt.Errorf("%w: property %q: there are blanks in its name", ErrInvalid, key)
		}
	}
	return nil
}

// checkKey validates the name of a property.
func checkKey(key string) error {
	if err := checkName("property", key); err != nil {
		return err
	}
	if strings.HasPrefix(key, ".") || strings.HasSuffix(key, ".") || strings.Contains(key, "..") {
		return fmt.Errorf("%w: property %q: there is nothing before, after or between dots", ErrInvalid, key)
	}
	return nil
}
