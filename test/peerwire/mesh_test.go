package peerwire

import (
	"context"
	"log/slog"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/peer/mesh"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/test/harness"
)

// voter is a mesh in a seat of an ensemble.
type voter struct {
	*mesh.Mesh
	t *testing.T
}

// connected tells whether there is a connection with a server.
func (v *voter) connected(server int64) bool {
	ok, _ := v.Reached(server)
	return ok
}

func enter(t *testing.T, ensemble *harness.Ensemble, self, size int, multi bool) *voter {
	t.Helper()
	m := mesh.New(mesh.Config{
		Self:      int64(self),
		Addresses: []wire.Address{address(t, ensemble.ElectionAddr(self))},
		Lookup: func(sid int64) []wire.Address {
			if sid < 1 || sid > int64(size) {
				return nil
			}
			return []wire.Address{address(t, ensemble.ElectionAddr(int(sid)))}
		},
		Dial: func(ctx context.Context, a wire.Address) (net.Conn, error) {
			return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", a.String())
		},
		MultiAddress: multi,
		Timeout:      5 * time.Second,
		Logger:       slog.New(slog.DiscardHandler),
	})
	l := listen(t, ensemble.ElectionAddr(self))
	served := make(chan error, 1)
	go func() { served <- m.Serve(l) }()
	t.Cleanup(func() {
		m.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return &voter{Mesh: m, t: t}
}

// until waits for a notification that ok is content with, and says its own vote again meanwhile, as elections do.
func (v *voter) until(server int64, vote wire.Notification, ok func(wire.Notification) bool) {
	v.t.Helper()
	msg := wire.AppendNotification(nil, &vote)
	v.Send(server, msg)
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	deadline := time.After(patience)
	for {
		select {
		case got := <-v.Received():
			n, err := wire.DecodeNotification(got.Payload)
			if err != nil {
				v.t.Fatal(err)
			}
			if got.From == server && ok(n) {
				return
			}
		case <-again.C:
			v.Send(server, msg)
		case <-deadline:
			v.t.Fatalf("no answer of server %d", server)
		}
	}
}

// A mesh with the smaller and with the larger number exchanges votes with a server, also after that was killed and came
// back.
func TestMesh(t *testing.T) {
	for _, version := range versions(t) {
		for _, c := range []struct {
			name         string
			self, server int
		}{{"smaller", 1, 2}, {"larger", 3, 2}} {
			t.Run(string(version)+"/"+c.name, func(t *testing.T) {
				seats := make([]harness.Seat, 4) // two votes are no quorum
				seats[c.server-1].Subject = version
				multi := version == "3.9.4"
				keys := map[string]string{"multiAddress.enabled": strconv.FormatBool(multi)}
				ensemble := harness.NewEnsemble(t, harness.EnsembleConfig{Seats: seats, Keys: keys})
				v := enter(t, ensemble, c.self, len(seats), multi)
				server := int64(c.server)
				vote := wire.Notification{State: wire.Looking, Leader: 4, Zxid: 7, Round: 1}
				for range 2 {
					ensemble.Server(c.server).Launch()
					v.until(server, vote, func(n wire.Notification) bool { return n.Leader == 4 && n.Zxid == 7 && n.State == wire.Looking })
					if !v.connected(server) {
						t.Error("not connected")
					}
					ensemble.Server(c.server).Kill()
					for deadline := time.Now().Add(patience); v.connected(server); {
						if time.Now().After(deadline) {
							t.Fatal("connected with a server that is dead")
						}
						time.Sleep(time.Millisecond)
					}
				}
			})
		}
	}
}
