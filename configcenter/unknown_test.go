package configcenter_test

import (
	"context"
	"testing"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/configcenter"
	"github.com/quollhq/quoll/internal/servertest"
)

// When nobody can tell whether a publication took place, the error says so.
func TestUnknownOutcome(t *testing.T) {
	server := servertest.Start(t)
	p := servertest.NewProxy(t, server)
	ctx, cancel := context.WithCancel(servertest.Context(t))
	defer cancel()
	var b servertest.Breaker
	breaking := client.Hooks{Request: func(_ context.Context, r client.Request) func(client.Outcome) {
		switch r.Op {
		case "multi":
			b.LoseReply()
		case "sync":
			p.Cut()
			cancel()
		}
		return nil
	}}
	c := servertest.Dial(t, p.Addr(), client.WithDialer(b.Dial), client.WithHooks(breaking))
	_, err := configcenter.New(c).Publish(ctx, "orders", configcenter.Change{Set: map[string]string{"color": "red"}})
	if !client.MaybeApplied(err) {
		t.Errorf("error %v, which does not say that it may have been published", err)
	}
	p.Heal()
	now, _, err := configcenter.New(servertest.Dial(t, server)).Properties(servertest.Context(t), "orders")
	if err != nil || now["color"] != "red" {
		t.Errorf("%v, %v", now, err)
	}
}
