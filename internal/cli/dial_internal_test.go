package cli

import (
	"context"
	"errors"
	"testing"

	"github.com/quollhq/quoll/client"
)

// late is a server that has its nodes when it has caught up, if it can.
type late struct {
	there, caughtUp bool
	fails           error
}

func (l *late) Exists(context.Context, string) (client.Stat, bool, error) {
	return client.Stat{}, l.there && l.caughtUp, nil
}

func (l *late) Sync(context.Context, string) error {
	l.caughtUp = l.fails == nil
	return l.fails
}

// A server that is behind does not make a node missing.
func TestBelowRoot(t *testing.T) {
	for _, test := range []struct {
		servers string
		at      late
		ok      bool
	}{
		{"a:1", late{}, true},
		{"a:1/", late{}, true},
		{"a:1/app", late{}, false},
		{"a:1/app", late{there: true}, true},
		{"a:1/app", late{fails: errors.New("lost")}, true},
	} {
		if err := belowRoot(t.Context(), &test.at, test.servers); (err == nil) != test.ok {
			t.Errorf("%s at %+v: %v", test.servers, test.at, err)
		}
	}
}
