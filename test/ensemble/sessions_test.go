package ensemble

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

// owner is who owns the ephemeral at path, 0 if it is not there, as another member has it.
func (w *world) owner(sid int, path string) int64 {
	w.t.Helper()
	c := w.dial(sid)
	defer c.Close()
	w.must(c.Sync(w.ctx, path))
	stat, _, err := c.Exists(w.ctx, path)
	w.must(err)
	return stat.EphemeralOwner
}

// moves tells whether a session goes on at another member.
func (w *world) moves(s *client.Session, sid int) bool {
	w.t.Helper()
	c := w.dialWith([]client.Option{client.WithSession(s.ID(), s.Password())}, sid)
	defer c.Detach()
	return c.Session().ID() == s.ID()
}

// TestLocalSessions has sessions that live on one member until they own something.
func TestLocalSessions(t *testing.T) {
	keys := map[string]string{"localSessionsEnabled": "true", "localSessionsUpgradingEnabled": "true"}
	for _, m := range mixtures[:3] {
		t.Run(m.name, func(t *testing.T) {
			w := newWorld(t, m.seats, keys)
			writer := w.dial(1)
			w.create(writer, "/a")
			for sid := 1; sid <= w.size; sid++ {
				c := w.dial(sid)
				w.create(c, client.Join("/a", c.Server()[len("127.0.0.1:"):]))
				if w.moves(c.Session(), sid%w.size+1) {
					t.Errorf("a local session of member %d is known elsewhere", sid)
				}
				w.must(c.Close())

				c = w.dial(sid)
				id := c.Session().ID()
				w.create(c, "/mine", client.Ephemeral)
				if got := w.owner(sid%w.size+1, "/mine"); got != id {
					t.Errorf("member %d: 0x%x owns what session 0x%x has created", sid, got, id)
				}
				w.create(c, "/mine-too", client.Ephemeral)
				if s := c.Session(); c.Detach() != nil || !w.moves(s, sid%w.size+1) {
					t.Errorf("a session of member %d that owns something is not known elsewhere", sid)
				}
				last, err := client.Dial(w.ctx, w.Server(sid).Addr(), client.WithSession(id, c.Session().Password()))
				w.must(err)
				w.must(last.Close())
				if got := w.owner(sid%w.size+1, "/mine"); got != 0 {
					t.Errorf("member %d: the ephemeral outlives its session", sid)
				}
			}
			w.equal()
		})
	}
}

// TestLocalSessionsOwnNothing has members refuse ephemerals of sessions that stay local.
func TestLocalSessionsOwnNothing(t *testing.T) {
	w := newWorld(t, mixtures[2].seats, map[string]string{"localSessionsEnabled": "true"})
	for sid := 1; sid <= w.size; sid++ {
		c := w.dial(sid)
		if _, err := c.Create(w.ctx, "/mine", nil, client.Ephemeral); !errors.Is(err, client.ErrEphemeralOnLocalSession) {
			t.Errorf("member %d: %v", sid, err)
		}
		if _, err := c.Multi(w.ctx, client.CreateOp("/mine", nil, client.Ephemeral)); err == nil {
			t.Errorf("member %d makes an ephemeral of a local session in a multi", sid)
		}
		w.create(c, client.Join("/", c.Server()))
	}
	w.equal()
}

// TestReadOnlyMode has a member that is left alone read, and write again with the others.
func TestReadOnlyMode(t *testing.T) {
	for _, subject := range []harness.Subject{harness.Quoll, harness.Apache} {
		t.Run(subject.Name(), func(t *testing.T) {
			testReadOnlyMode(t, subject)
		})
	}
}

func testReadOnlyMode(t *testing.T, subject harness.Subject) {
	seat := harness.Seat{Subject: subject, Properties: map[string]string{"readonlymode.enabled": "true"}}
	w := newSeats(t, []harness.Seat{seat, {Subject: harness.Quoll}, {Subject: harness.Quoll}}, map[string]string{"localSessionsEnabled": "true", "localSessionsUpgradingEnabled": "true"})
	writer := w.dial(1)
	w.create(writer, "/a")
	w.create(writer, "/mine", client.Ephemeral)
	for sid := 2; sid <= 3; sid++ {
		w.Server(sid).Kill()
	}
	c := w.dialWith([]client.Option{client.WithReadOnly()}, 1, 2, 3)
	for c.State() != client.StateReadOnly { // the member may not know that it is alone
		w.must(w.ctx.Err())
		time.Sleep(10 * time.Millisecond)
	}
	first := c.Session().ID()
	if data, _, err := c.Get(w.ctx, "/a"); err != nil || string(data) != "data of /a" {
		t.Errorf("got %q, %v", data, err)
	}
	for what, err := range map[string]error{
		"a write": w.writes(c), "a sync": c.Sync(w.ctx, "/a"), "a linearizable read": w.reads(client.Linearizable(w.ctx), c),
	} {
		if !errors.Is(err, client.ErrNotReadOnly) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for word, want := range map[string]string{"isro": "ro", "srvr": "READ-ONLY mode; serving only read-only clients\n", "stat": "Mode: read-only\n"} {
		if got, err := harness.FourLetterWord(w.ctx, w.Server(1).Addr(), word); err != nil || !strings.Contains(got, want) {
			t.Errorf("%s: %q, %v", word, got, err)
		}
	}
	short := w.dialWith([]client.Option{client.WithReadOnly()}, 1)
	w.must(short.Close())
	for sid := 2; sid <= 3; sid++ {
		w.Server(sid).Launch()
	}
	for err := w.writes(c); err != nil; err = w.writes(c) { // until it has found a member that writes
		if !client.Transient(err) && !errors.Is(err, client.ErrNotReadOnly) && !errors.Is(err, client.ErrNodeExists) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if got := c.Session().ID(); got == first {
		t.Errorf("session 0x%x goes on where there is a quorum", got)
	}
	if w.owner(1, "/mine") != writer.Session().ID() {
		t.Error("the session that wrote before has lost its ephemeral")
	}
	w.create(writer, "/c")
}

func (w *world) writes(c *client.Client) error {
	_, err := c.Create(w.ctx, "/new", nil)
	return err
}

func (w *world) reads(ctx context.Context, c *client.Client) error {
	_, _, err := c.Get(ctx, "/a")
	return err
}
