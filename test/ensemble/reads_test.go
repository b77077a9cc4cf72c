package ensemble

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

// TestLinearizableReads has every member's clients see at once what was acknowledged elsewhere.
func TestLinearizableReads(t *testing.T) {
	observed := func(last harness.Subject) []harness.Seat {
		return []harness.Seat{{Subject: harness.Quoll}, {Subject: harness.Quoll}, {Subject: last}, {Subject: harness.Quoll, Observer: true}}
	}
	for _, m := range []struct {
		name  string
		seats []harness.Seat
		keys  map[string]string
		opts  []client.Option
	}{
		{"asked for by the client", observed(harness.Quoll), nil, []client.Option{client.WithLinearizableReads()}},
		{"as the servers are set", observed(harness.Quoll), map[string]string{"linearizableReads": "true"}, nil},
		{"of an Apache leader", observed(harness.Apache), nil, []client.Option{client.WithLinearizableReads()}},
	} {
		t.Run(m.name, func(t *testing.T) {
			w := newSeats(t, m.seats, m.keys)
			writer := w.dial(1)
			w.create(writer, "/a")
			var readers []*client.Client
			for sid := 1; sid <= w.size; sid++ {
				readers = append(readers, w.dialWith(m.opts, sid))
			}
			for i := range 50 {
				value := fmt.Sprint(i)
				_, err := writer.Set(w.ctx, "/a", []byte(value), client.AnyVersion)
				w.must(err)
				for sid, c := range readers {
					if data, _, err := c.Get(w.ctx, "/a"); err != nil || string(data) != value {
						t.Fatalf("member %d has %q after %q was acknowledged, error %v", sid+1, data, value, err)
					}
				}
			}
		})
	}
}

// TestPausedLeader has a leader stand still while another one is elected, and then find a read that waits for it.
func TestPausedLeader(t *testing.T) {
	w := newWorld(t, []harness.Subject{harness.Quoll, harness.Quoll, harness.Quoll}, map[string]string{"syncLimit": "4"})
	leader := w.Leader()
	others := []int{leader%3 + 1, (leader+1)%3 + 1}
	writer := w.dial(others...)
	w.create(writer, "/a")
	reader := w.dial(leader)
	w.must(reader.Sync(w.ctx, "/a"))
	old := w.Server(leader)
	old.Signal(syscall.SIGSTOP)
	defer old.Signal(syscall.SIGCONT)
	w.create(writer, "/elected") // until then it is not known whether a write took place
	_, err := writer.Set(w.ctx, "/a", []byte("new"), client.AnyVersion)
	w.must(err)
	type answer struct {
		data []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		data, _, err := reader.Get(client.Linearizable(w.ctx), "/a")
		answers <- answer{data, err}
	}()
	w.must(writer.Sync(w.ctx, "/a")) // by then the read waits at the old leader
	old.Signal(syscall.SIGCONT)
	if a := <-answers; a.err != nil || string(a.data) != "new" {
		t.Errorf("the deposed leader has %q, error %v", a.data, a.err)
	}
}
