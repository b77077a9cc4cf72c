package client

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
	harness.Each(t, func(t *testing.T, subject harness.Subject) {
		test(t, harness.Start(t, subject, config))
	})
}

func testContext(t *testing.T) context.Context {
	t.Helper()
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

// must fails the test if err is not nil.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantErr fails the test unless err is target.
func wantErr(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("error %v, want %v", err, target)
	}
}

// mustCreate makes a node.
func mustCreate(t *testing.T, c *client.Client, path, data string, opts ...client.CreateOption) string {
	t.Helper()
	made, err := c.Create(testContext(t), path, []byte(data), opts...)
	must(t, err)
	return made
}
