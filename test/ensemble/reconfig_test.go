package ensemble

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

const configPath = "/zookeeper/config"

// reconfiguring is an ensemble that may change, of which the three first seats are members at first. The third leads.
func reconfiguring(t *testing.T, keys map[string]string, seats ...harness.Seat) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	t.Cleanup(cancel)
	config := harness.EnsembleConfig{Seats: seats, Keys: map[string]string{"reconfigEnabled": "true", "4lw.commands.whitelist": "*"}}
	for k, v := range keys {
		config.Keys[k] = v
	}
	w := &world{t: t, ctx: ctx, size: len(seats), Ensemble: harness.NewEnsemble(t, config)}
	w.Server(3).Launch() // it wins an election of two
	w.Server(2).Launch()
	w.Server(2).WaitReady()
	w.Server(3).WaitReady()
	if leader := w.Leader(); leader != 3 {
		t.Fatalf("member %d leads", leader)
	}
	w.Server(1).Launch()
	w.Server(1).WaitReady()
	return w
}

// srvr asks a member until its answer holds what is wanted.
func (w *world) srvr(addr, want string) {
	w.t.Helper()
	for {
		reply, err := harness.FourLetterWord(w.ctx, addr, "srvr")
		if err == nil && strings.Contains(reply, want) {
			return
		}
		select {
		case <-w.ctx.Done():
			w.t.Fatalf("%s never said %q, but %q, %v", addr, want, reply, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// reconfigure makes a change, through member 2 or whoever of the others is there, and returns the configuration.
func (w *world) reconfigure(c *client.Client, change client.Reconfiguration) string {
	w.t.Helper()
	for {
		text, stat, err := c.Reconfigure(w.ctx, change)
		switch {
		case err == nil:
			if got := fmt.Sprintf("version=%x", stat.Mzxid); !strings.HasSuffix(string(text), "\n"+got) || stat.Version != -1 {
				w.t.Errorf("the configuration of transaction %s is\n%s\n%+v", got, text, stat)
			}
			return string(text)
		case errors.Is(err, client.ErrNewConfigNoQuorum), errors.Is(err, client.ErrReconfigInProgress):
			// Whoever has joined is not in sync so far.
		case errors.Is(err, client.ErrConnectionLoss):
			// The leader has gone with it. The answer may be lost; a change that was made can be made again.
		default:
			w.t.Fatalf("%+v: %v", change, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// has waits until the member has the configuration, and all of it.
func (w *world) has(addr, config string) {
	w.t.Helper()
	c, err := client.Dial(w.ctx, addr, client.WithSessionTimeout(20*time.Second))
	w.must(err)
	defer c.Close()
	for {
		got, _, changed, err := c.GetW(w.ctx, configPath)
		if err == nil && string(got) == config {
			return
		}
		select {
		case <-changed:
		case <-w.ctx.Done():
			w.t.Fatalf("%s has %q, %v, want %q", addr, got, err, config)
		}
	}
}

// keeps is the dynamic file that a member has of a configuration, once its main file names it.
func (w *world) keeps(sid int, config string) string {
	w.t.Helper()
	file := filepath.Join(w.Server(sid).Dir(), "zoo.cfg")
	dynamic := file + ".dynamic." + config[strings.LastIndex(config, "=")+1:]
	for {
		main, err := os.ReadFile(file)
		w.must(err)
		if strings.Contains(string(main), "dynamicConfigFile="+dynamic) && !strings.Contains(string(main), "server.") {
			kept, err := os.ReadFile(dynamic)
			w.must(err)
			return string(kept)
		}
		select {
		case <-w.ctx.Done():
			w.t.Fatalf("member %d is configured by\n%s", sid, main)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// TestReconfiguration takes members in and out, moves them and changes their roles, led by either.
func TestReconfiguration(t *testing.T) {
	for _, lead := range []harness.Subject{harness.Quoll, harness.Apache} {
		t.Run("led by "+lead.Name(), func(t *testing.T) {
			w := reconfiguring(t, map[string]string{"skipACL": "yes"},
				harness.Seat{Subject: harness.Apache}, harness.Seat{Subject: harness.Quoll}, harness.Seat{Subject: lead},
				harness.Seat{Subject: harness.Apache, Joins: true}, harness.Seat{Subject: harness.Quoll, Joins: true})
			w.reconfigureAll()
		})
	}
}

func (w *world) reconfigureAll() {
	w.t.Helper()
	c := w.dial(1)
	first, stat, changed, err := c.GetW(w.ctx, configPath)
	if err != nil || stat.Version != -1 || !strings.HasSuffix(string(first), fmt.Sprintf("\nversion=%x", stat.Mzxid)) || stat.Mzxid&0xffffffff != 0 {
		w.t.Fatalf("it began with\n%s\n%+v, %v", first, stat, err)
	}
	w.has(w.Server(2).Addr(), string(first))
	w.has(w.Server(3).Addr(), string(first))

	// Apache's server joins. It follows before it has a vote.
	w.Server(4).Launch()
	w.Server(4).WaitReady()
	text := w.reconfigure(c, client.Reconfiguration{Joining: w.Line(4, "participant"), Version: stat.Mzxid})
	if !strings.HasPrefix(text, string(first[:strings.LastIndex(string(first), "version=")])) {
		w.t.Errorf("server.4 joined\n%s\nand there is\n%s", first, text)
	}
	select {
	case e := <-changed:
		if e.Type != client.EventDataChanged || e.Path != configPath {
			w.t.Errorf("told of %+v", e)
		}
	case <-w.ctx.Done():
		w.t.Fatal("never told of the change")
	}
	if a, q := w.keeps(1, text), w.keeps(2, text); a != q {
		w.t.Errorf("Apache's server keeps\n%s\nand quoll\n%s", a, q)
	}
	if _, _, err := c.Reconfigure(w.ctx, client.Reconfiguration{Leaving: "1", Version: stat.Mzxid}); !errors.Is(err, client.ErrBadVersion) {
		w.t.Errorf("a change of an old configuration: %v", err)
	}

	// quoll joins as an observer, and gets a vote.
	w.Server(5).Launch()
	w.Server(5).WaitReady()
	w.reconfigure(c, client.Reconfiguration{Joining: w.Line(5, "observer"), Version: -1})
	w.srvr(w.Server(5).Addr(), "Mode: observer")
	text = w.reconfigure(c, client.Reconfiguration{Joining: w.Line(5, "participant"), Version: -1})
	w.srvr(w.Server(5).Addr(), "Mode: follower")
	for sid := 1; sid <= 5; sid++ {
		w.has(w.Server(sid).Addr(), text)
	}
	w.create(c, "/five")

	// quoll moves to other ports, and is found there after a restart.
	moved := w.FreeLine(2, "participant")
	text = w.reconfigure(c, client.Reconfiguration{Joining: moved, Version: -1})
	addr := moved[strings.LastIndex(moved, ";")+1:]
	w.has(addr, text)
	if _, err := harness.FourLetterWord(w.ctx, w.Server(2).Addr(), "ruok"); err == nil {
		w.t.Error("member 2 moved, and still listens where it was")
	}
	w.Server(2).Kill()
	w.create(c, "/while-2-was-away")
	w.Server(2).Launch()
	w.srvr(addr, "Mode: follower")
	w.has(addr, text)

	// The leader leaves; another one takes over. A member of quoll's that has left serves nobody.
	c = w.dial(4, 5, 1)
	text = w.reconfigure(c, client.Reconfiguration{Leaving: "3", Version: -1})
	if strings.Contains(text, "server.3=") {
		w.t.Errorf("it left, and there is\n%s", text)
	}
	w.create(c, "/after-3")
	if w.Server(3).Subject() == harness.Quoll {
		w.removed(3)
	}
	w.Server(3).Stop()
	w.reconfigure(c, client.Reconfiguration{Leaving: "5", Version: -1})
	w.removed(5)
	w.create(c, "/after-5")
	text = w.reconfigure(c, client.Reconfiguration{Joining: w.Line(5, "participant"), Version: -1})
	w.has(w.Server(5).Addr(), text)
	for _, a := range []string{w.Server(1).Addr(), addr, w.Server(4).Addr()} {
		w.has(a, text)
	}
}

// removed waits until a member of quoll's says that it was removed.
func (w *world) removed(sid int) {
	w.t.Helper()
	w.srvr(w.Server(sid).Addr(), "not currently serving requests")
	for !strings.Contains(w.Server(sid).Tail(1000), "removed from the ensemble") {
		select {
		case <-w.ctx.Done():
			w.t.Fatalf("member %d never said that it was removed", sid)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// TestReconfigurationRefused sees that what cannot be is refused alike.
func TestReconfigurationRefused(t *testing.T) {
	for _, s := range []harness.Subject{harness.Apache, harness.Quoll} {
		t.Run(s.Name(), func(t *testing.T) {
			w := reconfiguring(t, map[string]string{"DigestAuthenticationProvider.superDigest": "super:lK75jTNcA+U9vtVEw5vB51mj/w4="}, harness.Seats(3, s)...)
			c := w.dial(1)
			super := w.dial(3)
			w.must(super.AddAuth(w.ctx, "digest", []byte("super:secret")))
			_, stat, err := c.Get(w.ctx, configPath)
			w.must(err)
			one, two, three := w.Line(1, "participant"), w.Line(2, "participant"), w.Line(3, "participant")
			fourth := "server.4=10.0.0.4:1:2;3"
			for _, change := range []struct {
				client.Reconfiguration
				want error
			}{
				{client.Reconfiguration{Leaving: "2", Version: 5}, client.ErrBadVersion},
				{client.Reconfiguration{Joining: "foo", Version: -1}, client.ErrBadArguments},
				{client.Reconfiguration{Joining: "foo", Version: 5}, client.ErrBadVersion},
				{client.Reconfiguration{Joining: "server.x=10.0.0.4:1:2;3", Version: -1}, client.ErrMarshalling},
				{client.Reconfiguration{Joining: "server.4=10.0.0.4:1:2", Version: -1}, client.ErrBadArguments},
				{client.Reconfiguration{Joining: "server.4=10.0.0.4:1:1;3", Version: -1}, client.ErrBadArguments},
				{client.Reconfiguration{Joining: "server.4=10.0.0.4:1:2:king;3", Version: -1}, client.ErrBadArguments},
				{client.Reconfiguration{Joining: "server.4=10.0.0.4:1:70000;3", Version: -1}, client.ErrMarshalling},
				{client.Reconfiguration{Joining: "server.4=10.0.0.4:1:2;3;4", Version: -1}, client.ErrBadArguments},
				{client.Reconfiguration{Joining: fourth + ",server.5=10.0.0.4:7:2;8", Version: -1}, client.ErrBadArguments},
				{client.Reconfiguration{Leaving: "bar", Version: -1}, client.ErrMarshalling},
				{client.Reconfiguration{Leaving: "1,2", Version: -1}, client.ErrBadArguments},
				{client.Reconfiguration{Leaving: "1,2,3", Version: -1}, client.ErrBadArguments},
				{client.Reconfiguration{Members: "tickTime=5", Version: -1}, client.ErrBadArguments},
				{client.Reconfiguration{Members: one, Version: -1}, client.ErrBadArguments},
				{client.Reconfiguration{Members: "server.1=a", Version: -1}, client.ErrBadArguments},
				{client.Reconfiguration{Members: "server.x=10.0.0.4:1:2", Version: -1}, client.ErrMarshalling},
				{client.Reconfiguration{Members: strings.ReplaceAll(one, "participant", "observer"), Version: -1}, client.ErrMarshalling},
				{client.Reconfiguration{Members: one + "," + two + ",group.1=1", Version: -1}, client.ErrBadArguments},
				{client.Reconfiguration{Members: strings.Join([]string{three, fourth, strings.Replace(fourth, "4=10.0.0.4", "5=10.0.0.5", 1)}, ","), Version: -1}, client.ErrNewConfigNoQuorum},
				{client.Reconfiguration{Leaving: "1", Version: stat.Mzxid}, client.ErrNoAuth},
				{client.Reconfiguration{Joining: "", Version: -1}, client.ErrNoAuth},
			} {
				if _, _, err := c.Reconfigure(w.ctx, change.Reconfiguration); !errors.Is(err, change.want) {
					t.Errorf("%+v: %v, want %v", change.Reconfiguration, err, change.want)
				}
			}
			text, _, err := super.Reconfigure(w.ctx, client.Reconfiguration{Joining: fourth, Version: stat.Mzxid})
			if err != nil || !strings.Contains(string(text), "server.4=10.0.0.4:1:2:participant;0.0.0.0:3\n") {
				t.Errorf("%s: %v", text, err)
			}
			text, _, err = super.Reconfigure(w.ctx, client.Reconfiguration{Members: strings.Join([]string{one, two, three}, "\n"), Version: -1})
			if err != nil || strings.Contains(string(text), "server.4") {
				t.Errorf("%s: %v", text, err)
			}
		})
	}
}
