package configcenter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// View is what a program sees of its contexts: one property of each name. Its
// contents are shared: they must not be changed.
type View struct {
	// Properties are encrypted where they were published so.
	Properties map[string]string `json:"properties"`
	// Origins name the context, or the canary as CONTEXT#NAME, that each property
	// is from.
	Origins map[string]string `json:"origins"`
	// Revisions are the last ones of the contexts that have any.
	Revisions map[string]int64 `json:"revisions"`
	// Canaries are those that the program sees, as CONTEXT#NAME.
	Canaries []string `json:"canaries,omitempty"`
	// Stale says that no server can be reached: it is the last that was known.
	Stale bool `json:"-"`
	// Saved is when it was saved, if it is from a file.
	Saved time.Time `json:"-"`
}

// Resolve reads what a program sees.
func (c *Center) Resolve(ctx context.Context, app App) (View, error) {
	v, problems, doubles, err := c.resolve(ctx, app, nil)
	c.warn(doubles)
	if err == nil {
		err = errors.Join(problems...)
	}
	if err != nil {
		return v, fmt.Errorf("configcenter: %w", err)
	}
	return v, nil
}

// resolve reads the contexts of an app. Problems are nodes that are not what they
// should be; what they hold is left out. Doubles are properties with two nodes.
func (c *Center) resolve(ctx context.Context, app App, k *known) (v View, problems, doubles []error, err error) {
	contexts := app.Contexts()
	for _, name := range contexts {
		if err := checkName("context", name); err != nil {
			return v, nil, nil, err
		}
	}
	if k == nil {
		k = newKnown(c, contexts...)
	}
	states, err := c.read(ctx, k)
	if err != nil {
		return v, nil, nil, err
	}
	v = View{Properties: make(map[string]string), Origins: make(map[string]string), Revisions: make(map[string]int64)}
	for _, name := range contexts {
		v.layer(name, states[name], app)
		problems = append(problems, states[name].problems...)
		doubles = append(doubles, states[name].doubles...)
	}
	return v, problems, doubles, nil
}

// layer puts a context over those before it.
func (v *View) layer(name string, s *state, app App) {
	if s.revision > 0 {
		v.Revisions[name] = s.revision
	}
	own, origins := s.values(), make(map[string]string)
	for key := range own {
		origins[key] = name
	}
	for _, canary := range s.canaries {
		if !canary.Chooses(app.Instance, app.Labels) {
			continue
		}
		id := name + "#" + canary.Name
		v.Canaries = append(v.Canaries, id)
		for _, key := range canary.Delete {
			delete(own, key)
		}
		for key, value := range canary.Set {
			own[key], origins[key] = value, id
		}
	}
	for key, value := range own {
		v.Properties[key], v.Origins[key] = value, origins[key]
	}
}

// same tells whether two views show the same.
func (v *View) same(o *View) bool {
	return maps.Equal(v.Properties, o.Properties) && maps.Equal(v.Revisions, o.Revisions) && slices.Equal(v.Canaries, o.Canaries)
}

// at says which revisions a view shows, as " (CONTEXT@NUMBER...)".
func (v *View) at(app App) string {
	var words []string
	for _, name := range app.Contexts() {
		if n := v.Revisions[name]; n > 0 {
			words = append(words, fmt.Sprintf("%s@%d", name, n))
		}
	}
	if len(words) == 0 {
		return ""
	}
	return " (" + strings.Join(words, " ") + ")"
}

// Decrypted are the properties as a program uses them. The error is ErrSealed, and
// names each property that cannot be decrypted, with its origin.
func (v *View) Decrypted(k *Keyring) (map[string]string, error) {
	plain := make(map[string]string, len(v.Properties))
	var failures []error
	for _, key := range slices.Sorted(maps.Keys(v.Properties)) {
		value, err := k.Decrypt(key, v.Properties[key])
		if err != nil {
			failures = append(failures, fmt.Errorf("in %s: %w", v.Origins[key], err))
		}
		plain[key] = value
	}
	return plain, errors.Join(failures...)
}
