package configcenter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"

	"github.com/quollhq/quoll/client"
)

// MaxCanaries bounds the canaries of one context at a time.
const MaxCanaries = 10

// Canary is a change of a context that only some instances see. Of several, that
// with the name that sorts last wins.
type Canary struct {
	Name string `json:"-"`
	// Match says which instances see it.
	Match Match `json:"match"`
	// Set and Delete are as in a Change.
	Set    map[string]string `json:"set,omitempty"`
	Delete []string          `json:"delete,omitempty"`
	// Revision is the one that has started it.
	Revision int64 `json:"revision"`
}

// Match chooses instances: one that any of the rules chooses is chosen.
type Match struct {
	// Instances are chosen by name.
	Instances []string `json:"instances,omitempty"`
	// Labels choose instances that have all of them.
	Labels map[string]string `json:"labels,omitempty"`
	// Percent of all instances are chosen by a hash of their names: the same ones
	// for the same canary, and more when it grows.
	Percent float64 `json:"percent,omitempty"`
}

// Chooses tells whether an instance sees the canary.
func (c Canary) Chooses(instance string, labels map[string]string) bool {
	if slices.Contains(c.Match.Instances, instance) {
		return true
	}
	all := len(c.Match.Labels) > 0
	for key, value := range c.Match.Labels {
		has, there := labels[key]
		all = all && there && has == value
	}
	return all || share(c.Name+"\x00"+instance) < c.Match.Percent
}

// share is where a name lies between 0 and 100.
func share(name string) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	x := h.Sum64()
	x = (x ^ x>>33) * 0xff51afd7ed558ccd // short names differ in few bits: spread them
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return float64((x^x>>33)>>11) / (1 << 53) * 100
}

func decodeCanary(name string, data []byte) (Canary, error) {
	canary := Canary{Name: name}
	if err := json.Unmarshal(data, &canary); err != nil {
		return canary, fmt.Errorf("%w: no canary: %w", ErrInvalid, err)
	}
	canary.Name = name
	return canary, nil
}

func (c Canary) check() error {
	if err := checkName("canary", c.Name); err != nil {
		return err
	}
	if len(c.Match.Instances) == 0 && len(c.Match.Labels) == 0 && c.Match.Percent <= 0 {
		return fmt.Errorf("%w: canary %q chooses no instance, by name, label or percentage", ErrInvalid, c.Name)
	}
	if c.Match.Percent < 0 || c.Match.Percent > 100 {
		return fmt.Errorf("%w: canary %q chooses %v %% of the instances", ErrInvalid, c.Name, c.Match.Percent)
	}
	if len(c.Set) == 0 && len(c.Delete) == 0 {
		return fmt.Errorf("%w: canary %q changes nothing", ErrInvalid, c.Name)
	}
	for _, key := range append(slices.Collect(maps.Keys(c.Set)), c.Delete...) {
		if err := checkKey(key); err != nil {
			return err
		}
	}
	return nil
}

// Canaries lists the canaries of a context, sorted by name.
func (c *Center) Canaries(ctx context.Context, name string) ([]Canary, error) {
	if err := checkName("context", name); err != nil {
		return nil, fmt.Errorf("configcenter: %w", err)
	}
	states, err := c.read(ctx, newKnown(c, name))
	if err != nil {
		return nil, fmt.Errorf("configcenter: %w", err)
	}
	return states[name].canaries, nil
}

// StartCanary lets some instances see a change of a context, or replaces a canary
// of the same name. Of change, author, reason and base are used.
func (c *Center) StartCanary(ctx context.Context, name string, canary Canary, change Change) (Revision, error) {
	if err := errors.Join(canary.check(), checkNew(name, canary.Set)); err != nil {
		return Revision{}, fmt.Errorf("configcenter: %w", err)
	}
	return c.publish(ctx, name, change, func(s *state) (step, error) {
		path := client.Join(c.canaryDir(name), canary.Name)
		canary.Revision = s.revision + 1
		data, err := json.Marshal(canary)
		if err != nil {
			return step{}, err
		}
		op := c.createOp(path, data)
		if _, err := s.canary(canary.Name); err == nil {
			op = client.SetOp(path, data, client.AnyVersion)
		} else if len(s.canaries) >= MaxCanaries {
			return step{}, fmt.Errorf("%w: there are %d canaries already", ErrInvalid, len(s.canaries))
		}
		return step{action: ActionCanary, canary: canary.Name, ops: []client.Op{op}}, nil
	})
}

func (s *state) canary(name string) (Canary, error) {
	i := slices.IndexFunc(s.canaries, func(c Canary) bool { return c.Name == name })
	if i < 0 {
		return Canary{}, fmt.Errorf("canary %q: %w", name, ErrUnknown)
	}
	return s.canaries[i], nil
}

// PromoteCanary publishes what a canary changes and ends it, at once.
func (c *Center) PromoteCanary(ctx context.Context, name, canary string, change Change) (Revision, error) {
	return c.endCanary(ctx, name, canary, change, ActionPromoteCanary)
}

// AbortCanary ends a canary.
func (c *Center) AbortCanary(ctx context.Context, name, canary string, change Change) (Revision, error) {
	return c.endCanary(ctx, name, canary, change, ActionAbortCanary)
}

func (c *Center) endCanary(ctx context.Context, name, canary string, change Change, action string) (Revision, error) {
	return c.publish(ctx, name, change, func(s *state) (step, error) {
		found, err := s.canary(canary)
		if err != nil {
			return step{}, err
		}
		st := step{action: action, canary: canary}
		st.ops = []client.Op{client.DeleteOp(client.Join(c.canaryDir(name), canary), client.AnyVersion)}
		if action == ActionPromoteCanary {
			st.set, st.remove = found.Set, found.Delete
		}
		return st, nil
	})
}
