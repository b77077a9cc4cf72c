package configcenter_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/configcenter"
	"github.com/quollhq/quoll/internal/servertest"
)

// below lists the nodes below a node, with their data.
func below(t *testing.T, c *client.Client, path string) (list []string) {
	t.Helper()
	names, err := c.ChildNames(servertest.Context(t), path)
	must(t, err)
	slices.Sort(names)
	for _, name := range names {
		child := path + "/" + name
		data, _, err := c.Get(servertest.Context(t), child)
		must(t, err)
		list = append(list, strings.TrimPrefix(child, "/config/")+"="+string(data))
		list = append(list, below(t, c, child)...)
	}
	return list
}

// tree makes nodes, parents before children, as path=data.
func tree(t *testing.T, c *client.Client, nodes ...string) {
	t.Helper()
	for _, text := range nodes {
		path, data, _ := strings.Cut(text, "=")
		create(t, c, "/config/"+path, data)
	}
}

// A property that is deleted takes the steps with it that led to it alone, and
// nothing else.
func TestDeletedSteps(t *testing.T) {
	c := servertest.Dial(t, servertest.Start(t))
	must(t, c.EnsurePath(servertest.Context(t), "/config", client.Persistent))
	center := configcenter.New(c)
	for name, test := range map[string]struct {
		nodes  []string
		set    set
		remove []string
		after  []string
		values set
	}{
		"alone":          {[]string{"alone", "alone/a", "alone/a/b", "alone/a/b/c=1"}, nil, []string{"a.b.c"}, nil, set{}},
		"a sibling":      {[]string{"sib", "sib/a", "sib/a/b", "sib/a/b/c=1", "sib/a/d=2"}, nil, []string{"a.b.c"}, []string{"sib/a=", "sib/a/d=2"}, set{"a.d": "2"}},
		"two at once":    {[]string{"two", "two/a", "two/a/b=1", "two/a/c=2"}, nil, []string{"a.b", "a.c"}, nil, set{}},
		"a property":     {[]string{"prop", "prop/a=1", "prop/a/b", "prop/a/b/c=2"}, nil, []string{"a.b.c"}, []string{"prop/a=1"}, set{"a": "1"}},
		"with property":  {[]string{"both", "both/a=1", "both/a/b", "both/a/b/c=2"}, nil, []string{"a", "a.b.c"}, nil, set{}},
		"property above": {[]string{"up", "up/a=1", "up/a/b=2"}, nil, []string{"a"}, []string{"up/a=", "up/a/b=2"}, set{"a.b": "2"}},
		"an empty one":   {[]string{"empty", "empty/a", "empty/a/b=1", "empty/a/c"}, nil, []string{"a.b"}, []string{"empty/a=", "empty/a/c="}, set{"a.c": ""}},
		"set meanwhile":  {[]string{"set", "set/a", "set/a/b=1"}, set{"a": ""}, []string{"a.b"}, []string{"set/a="}, set{"a": ""}},
		"a step is set":  {[]string{"step", "step/a", "step/a/b=1"}, set{"a": "2"}, nil, []string{"step/a=2", "step/a/b=1"}, set{"a": "2", "a.b": "1"}},
	} {
		tree(t, c, test.nodes...)
		dir := test.nodes[0]
		r := publish(t, center, dir, test.set, test.remove...)
		if got := below(t, c, "/config/"+dir); !slices.Equal(got, test.after) {
			t.Errorf("%s: left %q, want %q", name, got, test.after)
		}
		wantProperties(t, center, dir, r.Number, test.values)
		if drift, err := center.Drift(servertest.Context(t), dir); err != nil || len(drift) > 0 {
			t.Errorf("%s: the record says otherwise: %v, %v", name, drift, err)
		}
	}
	_, err := center.Publish(servertest.Context(t), "step", configcenter.Change{Set: set{"a": ""}})
	wantIs(t, err, configcenter.ErrInvalid) // it could not be told from a step
}

// What somebody else makes below a step, or of it, is not lost.
func TestDeletedStepsRace(t *testing.T) {
	server := servertest.Start(t)
	other := servertest.Dial(t, server)
	must(t, other.EnsurePath(servertest.Context(t), "/config", client.Persistent))
	for name, test := range map[string]struct {
		act    func(ctx context.Context) error
		values set
	}{
		"child": {func(ctx context.Context) error {
			_, err := other.Create(ctx, "/config/child/a/b/new", []byte("1"))
			return err
		}, set{"a.b.new": "1"}},
		"value": {func(ctx context.Context) error {
			_, err := other.Set(ctx, "/config/value/a/b", []byte("1"), client.AnyVersion)
			return err
		}, set{"a.b": "1"}},
		"gone": {func(ctx context.Context) error {
			_, err := other.Multi(ctx, client.DeleteOp("/config/gone/a/b/c", -1), client.DeleteOp("/config/gone/a/b", -1), client.DeleteOp("/config/gone/a", -1))
			return err
		}, set{}},
	} {
		tree(t, other, name, name+"/a", name+"/a/b", name+"/a/b/c=1")
		first := true
		c := servertest.Dial(t, server, client.WithHooks(client.Hooks{Request: func(ctx context.Context, r client.Request) func(client.Outcome) {
			if first && r.Op == "multi" {
				first = false
				must(t, test.act(ctx))
			}
			return nil
		}}))
		center := configcenter.New(c)
		_, err := center.Publish(servertest.Context(t), name, configcenter.Change{Delete: []string{"a.b.c"}, Set: set{"own": "1"}})
		must(t, err)
		if first {
			t.Fatal("nobody was faster")
		}
		test.values["own"] = "1"
		wantProperties(t, center, name, 1, test.values)
	}
}

// A step that may not be deleted keeps nobody from deleting the property below.
func TestDeletedStepsProtected(t *testing.T) {
	ctx := servertest.Context(t)
	c := servertest.Dial(t, servertest.Start(t))
	must(t, c.EnsurePath(ctx, "/config", client.Persistent))
	tree(t, c, "orders", "orders/a", "orders/a/b", "orders/a/b/c=1")
	_, err := c.SetACL(ctx, "/config/orders/a", []client.ACL{{Perms: client.PermAll &^ client.PermDelete, Scheme: "world", ID: "anyone"}}, client.AnyVersion)
	must(t, err)
	center := configcenter.New(c)
	r := publish(t, center, "orders", nil, "a.b.c")
	if r.Properties["a.b"] != "" || len(r.Properties) != 1 {
		t.Errorf("%v", r.Properties)
	}
	wantProperties(t, center, "orders", 1, r.Properties)
}
