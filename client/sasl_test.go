package client

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// countdown is a mechanism that answers so many challenges, the last of them
// together with being done.
type countdown struct {
	left   int
	fail   error
	closed *bool
}

func (m *countdown) Start() ([]byte, error) { return []byte("start"), nil }

func (m *countdown) Next(challenge []byte) ([]byte, bool, error) {
	m.left--
	return append([]byte("to "), challenge...), m.left == 0, m.fail
}

func (m *countdown) Close() error {
	*m.closed = true
	return nil
}

// round answers one token.
func (fc *fakeConn) round(want, answer string, code proto.Code) {
	fc.t.Helper()
	h, d := fc.request(proto.OpSASL)
	if got := d.String(); got != want {
		fc.t.Errorf("token %q, want %q", got, want)
	}
	var body []byte
	if code == proto.OK {
		body = jute.AppendString(nil, answer)
	}
	fc.reply(h.Xid, 0, code, body)
}

func TestSASLExchange(t *testing.T) {
	for name, tc := range map[string]struct {
		fail error
		code proto.Code // of the last answer
		ok   bool
	}{
		"accepted": {nil, proto.OK, true}, "refused": {nil, proto.AuthFailed, false},
		"server not authentic": {errors.New("an impostor"), proto.OK, false},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, f *fake) {
				closed := false
				c := f.client(WithSASL(func(server string) (SASL, error) {
					if server != "a:1" {
						t.Errorf("server %s", server)
					}
					return &countdown{left: 2, fail: tc.fail, closed: &closed}, nil
				}))
				events := c.Events()
				fc, _ := f.accept()
				fc.round("start", "one", proto.OK)
				if tc.fail == nil {
					fc.round("to one", "two", proto.OK)
					fc.round("to two", "", tc.code)
				}
				synctest.Wait()
				if !closed {
					t.Error("the mechanism is not closed")
				}
				if tc.ok {
					if ev, _ := events.TryNext(); ev.State != StateConnected || !ev.Authenticated {
						t.Errorf("event %+v", ev)
					}
					shut(t, c, fc)
					return
				}
				wantIs(t, c.WaitConnected(t.Context()), ErrAuthFailed)
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
