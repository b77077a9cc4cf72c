package configcenter

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/servertest"
)

type nestedConfig struct {
	Limits map[string]int
	Hosts  []string
	Pool   *struct{ Size int }
	Since  time.Time
}

// What is published is put over the defaults, and not into them.
func TestDefaultsStayAsTheyAre(t *testing.T) {
	ctx := servertest.Context(t)
	center := New(servertest.Dial(t, servertest.Start(t)))
	since := time.Now()
	o := Options[nestedConfig]{Default: nestedConfig{
		Limits: map[string]int{"a": 1}, Hosts: []string{"x", "y"}, Pool: &struct{ Size int }{5}, Since: since,
	}}
	if _, err := center.Publish(ctx, "orders", Change{Set: map[string]string{"limits.b": "2", "hosts": "z", "pool.size": "7"}}); err != nil {
		t.Fatal(err)
	}
	l, err := Open(ctx, center, App{Name: "orders"}, o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	first := l.Current()
	if first.Limits["a"] != 1 || first.Limits["b"] != 2 || first.Pool.Size != 7 || !first.Since.Equal(since) {
		t.Errorf("%+v", first)
	}
	if d := o.Default; !maps.Equal(d.Limits, map[string]int{"a": 1}) || !slices.Equal(d.Hosts, []string{"x", "y"}) || d.Pool.Size != 5 {
		t.Errorf("the default has become %+v", d)
	}
	if _, err := center.Publish(ctx, "orders", Change{Delete: []string{"limits.b", "pool.size"}}); err != nil {
		t.Fatal(err)
	}
	for now, err := range l.Changes(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if now != first {
			if len(now.Limits) != 1 || now.Pool.Size != 5 || first.Pool.Size != 7 {
				t.Errorf("%+v after %+v", now, first)
			}
			break
		}
	}
}
