package client_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// each runs test on every server that QUOLL_SUBJECTS names.
func each(t *testing.T, config harness.Config, test func(t *testing.T, s *harness.Server)) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers")
	}
	harness.Each(t, func(t *testing.T, subject harness.Subject) {
		test(t, harness.Start(t, subject, config))
	})
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func dial(t *testing.T, servers string, opts ...client.Option) *client.Client {
	t.Helper()
	c, err := client.Dial(testContext(t), servers, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return c
}

func TestBasics(t *testing.T) {
	each(t, harness.Config{}, func(t *testing.T, s *harness.Server) {
		ctx := testContext(t)
		c := dial(t, s.Addr())
		path, err := c.Create(ctx, "/a", []byte("x"))
		if err != nil || path != "/a" {
			t.Fatalf("create: %q, %v", path, err)
		}
		data, stat, err := c.Get(ctx, "/a")
		if err != nil || string(data) != "x" || stat.DataLength != 1 {
			t.Fatalf("get: %q %+v %v", data, stat, err)
		}
		if _, _, err := c.Get(ctx, "/b"); !errors.Is(err, client.ErrNoNode) {
			t.Fatalf("get of nothing: %v", err)
		}
	})
}
