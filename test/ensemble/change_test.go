package ensemble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/test/harness"
)

// change sets a znode's data until it is known that it did.
func (w *world) change(c *client.Client, path string) {
	w.t.Helper()
	for {
		_, err := c.Set(w.ctx, path, []byte("changed"), client.AnyVersion)
		if err == nil {
			return
		}
		if !errors.Is(err, client.ErrConnectionLoss) {
			w.t.Fatal(err)
		}
	}
}

// event waits for a watch to fire.
func (w *world) event(what string, events <-chan client.Event, want client.EventType) {
	w.t.Helper()
	select {
	case e := <-events:
		if e.Type != want {
			w.t.Errorf("%s: %+v, want %v", what, e, want)
		}
	case <-w.ctx.Done():
		w.t.Fatalf("%s: no event", what)
	}
}

// TestWatchesOverLeaderChange has watches of every kind outlive the leader at which they were set: what happened before they
// are set again elsewhere is told like what happens later.
func TestWatchesOverLeaderChange(t *testing.T) {
	for _, m := range mixtures[:3] {
		t.Run(m.name, func(t *testing.T) {
			w := newWorld(t, m.seats, nil)
			leader := w.Leader()
			others := []int{leader%3 + 1, (leader+1)%3 + 1}
			writer, c := w.dial(others...), w.dial(append([]int{leader}, others...)...)
			watched := make(map[string][3]<-chan client.Event)
			for _, when := range []string{"/before", "/after"} {
				w.create(writer, when)
				w.create(writer, when+"/parent")
				w.must(c.Sync(w.ctx, when))
				var set [3]<-chan client.Event
				var err error
				_, _, set[0], err = c.GetW(w.ctx, when)
				w.must(err)
				_, _, set[1], err = c.ExistsW(w.ctx, when+"/new")
				w.must(err)
				_, _, set[2], err = c.ChildrenW(w.ctx, when+"/parent")
				w.must(err)
				watched[when] = set
			}
			stream, err := c.AddWatch(w.ctx, "/after", client.WatchTree)
			w.must(err)
			defer stream.Close(w.ctx)
			fire := func(when string) {
				w.change(writer, when)
				w.create(writer, when+"/new")
				w.create(writer, when+"/parent/child")
				for i, want := range []client.EventType{client.EventDataChanged, client.EventCreated, client.EventChildrenChanged} {
					w.event(fmt.Sprint(when, " ", i), watched[when][i], want)
				}
			}
			w.Server(leader).Kill()
			fire("/before")
			w.must(c.Sync(w.ctx, "/")) // it is connected: all its watches are set
			fire("/after")
			for {
				e, err := stream.Next(w.ctx)
				w.must(err)
				if e.Type == client.EventCreated && e.Path == "/after/parent/child" {
					break
				}
			}
		})
	}
}

// TestThousandSessions has sessions with ephemerals all go on with another leader.
func TestThousandSessions(t *testing.T) {
	const sessions = 1000
	w := newWorld(t, []harness.Subject{harness.Quoll, harness.Quoll, harness.Quoll}, map[string]string{"maxClientCnxns": "0"})
	clients := make([]*client.Client, sessions)
	each := func(do func(i int)) {
		var wg sync.WaitGroup
		for i := range clients {
			wg.Go(func() { do(i) })
		}
		wg.Wait()
	}
	var servers [3]string
	for i := range servers {
		servers[i] = w.Server(i + 1).Addr()
	}
	ids := make([]int64, sessions)
	each(func(i int) {
		list := servers[i%3] + "," + servers[(i+1)%3] + "," + servers[(i+2)%3]
		c, err := client.Dial(w.ctx, list, client.WithServerOrder(), client.WithSessionTimeout(40*time.Second))
		if err != nil {
			t.Error(err)
			return
		}
		clients[i], ids[i] = c, c.Session().ID()
		if _, err := c.Create(w.ctx, fmt.Sprint("/own-", i), nil, client.Ephemeral); err != nil {
			t.Error(err)
		}
	})
	if t.Failed() {
		return
	}
	w.Server(w.Leader()).Kill()
	each(func(i int) {
		defer clients[i].Detach()
		path := fmt.Sprint("/own-", i)
		for {
			_, err := clients[i].Set(w.ctx, path, []byte("after"), client.AnyVersion)
			if err == nil {
				break
			}
			if !errors.Is(err, client.ErrConnectionLoss) {
				t.Errorf("%s: %v", path, err)
				return
			}
		}
		stat, ok, err := clients[i].Exists(w.ctx, path)
		if err != nil || !ok || stat.EphemeralOwner != ids[i] || clients[i].Session().ID() != ids[i] {
			t.Errorf("%s: session 0x%x became 0x%x, owner 0x%x, error %v", path, ids[i], clients[i].Session().ID(), stat.EphemeralOwner, err)
		}
	})
}

// rawConn is a connection on which a test says anything.
type rawConn struct {
	net.Conn
	t       *testing.T
	session proto.ConnectResponse
}

func (w *world) dialRaw(sid int) *rawConn {
	w.t.Helper()
	nc, err := net.Dial("tcp", w.Server(sid).Addr())
	w.must(err)
	w.t.Cleanup(func() { nc.Close() })
	deadline, _ := w.ctx.Deadline()
	w.must(nc.SetDeadline(deadline))
	c := &rawConn{Conn: nc, t: w.t}
	c.send((&proto.ConnectRequest{TimeOut: 20000, Passwd: make([]byte, proto.PasswordLen), HasReadOnly: true}).Append(nil))
	d := jute.NewDecoder(c.frame())
	c.session.Decode(&d)
	w.must(d.Err())
	return c
}

func (c *rawConn) send(frame []byte) {
	c.t.Helper()
	if _, err := c.Write(append(jute.AppendInt(nil, int32(len(frame))), frame...)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *rawConn) frame() []byte {
	c.t.Helper()
	head := make([]byte, 4)
	if _, err := io.ReadFull(c, head); err != nil {
		c.t.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint32(head))
	if _, err := io.ReadFull(c, b); err != nil {
		c.t.Fatal(err)
	}
	return b
}

// ask sends a request and wants this answer.
func (c *rawConn) ask(h proto.RequestHeader, body []byte, want proto.Code) {
	c.t.Helper()
	c.send(append(h.Append(nil), body...))
	d := jute.NewDecoder(c.frame())
	var r proto.ReplyHeader
	if r.Decode(&d); d.Err() != nil || r.Xid != h.Xid || r.Err != want {
		c.t.Errorf("%v of %d bytes: reply %+v, want %v", h.Op, len(body), r, want)
	}
}

// TestTruncatedWrites sends quoll's members writes that end early: they are answered there, and an Apache leader, whom one
// of them would stop for good, never sees them.
func TestTruncatedWrites(t *testing.T) {
	for _, m := range mixtures[:3] {
		t.Run(m.name, func(t *testing.T) {
			w := newWorld(t, m.seats, nil)
			set := jute.AppendInt(jute.AppendBuffer(jute.AppendString(nil, "/a"), []byte("data")), -1)
			create := jute.AppendBuffer(jute.AppendString(nil, "/b"), []byte("data"))
			multi := proto.MultiHeader{Type: proto.OpSetData, Err: -1}.Append(nil)
			multi = append(multi, set...)
			w.create(w.dial(1), "/a")
			for sid := 1; sid <= w.size; sid++ {
				if w.Server(sid).Subject() == harness.Apache {
					continue
				}
				c := w.dialRaw(sid)
				c.ask(proto.RequestHeader{Xid: 1, Op: proto.OpSync}, jute.AppendString(nil, "/a"), proto.OK)
				xid := int32(1)
				for op, body := range map[proto.Op][]byte{proto.OpSetData: set, proto.OpCreate: create, proto.OpDelete: set[:6], proto.OpMulti: multi, proto.OpSetACL: create} {
					for n := 0; n < len(body); n += 3 {
						xid++
						c.ask(proto.RequestHeader{Xid: xid, Op: op}, body[:n], proto.MarshallingError)
					}
				}
				c.ask(proto.RequestHeader{Xid: xid + 1, Op: proto.OpSetData}, set, proto.OK)
			}
			w.everyMemberWrites()
			w.equal()
		})
	}
}
