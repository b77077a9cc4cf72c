package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDiffers has members apply a transaction wrongly: a follower, and the leader. Each
// notices by the digest of the next transaction, shows nobody what it has, and ends with the same as all.
func TestDiffers(t *testing.T) {
	needNamespaces(t)
	t.Parallel()
	for _, mode := range []string{"follower", "leader"} {
		t.Run(mode, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 1))
			c := newCluster(t, 9, 3)
			underLoad(t, c, r, func(load *workload) error { return c.corrupt(mode) })
		})
	}
}

// corrupt has a member of a kind differ, and waits until it is whole again.
func (c *cluster) corrupt(mode string) error {
	p := &provoker{nemesis: &nemesis{c}}
	var m *member
	found := func() bool {
		for _, m = range c.members {
			if m.mode() == mode {
				return true
			}
		}
		return false
	}
	if !p.until(found, patience) {
		return fmt.Errorf("there is no %s", mode)
	}
	if err := m.arm("machine/corrupt=fail,1x"); err != nil {
		return err
	}
	if !p.until(func() bool { return m.metric("zk_state_resyncs_count") == "1" }, patience) {
		return fmt.Errorf("member %d, a %s, does not notice that its state differs", m.id, mode)
	}
	if err := p.disarm([]*member{m}); err != nil {
		return err
	}
	c.allServe()
	kept := func() bool {
		files, err := filepath.Glob(filepath.Join(m.disk(), "aside", "snapshot.*"))
		return err == nil && len(files) == 1
	}
	if !p.until(kept, patience) {
		return fmt.Errorf("member %d does not keep the state that differs", m.id)
	}
	if log, err := os.ReadFile(m.logPath()); mode == "follower" && !strings.Contains(string(log), "the leader's state was read") {
		return fmt.Errorf("member %d does not take the leader's state (%v)", m.id, err)
	}
	time.Sleep(300 * time.Millisecond) // of load
	if n := m.metric("zk_digest_mismatches_count"); n != "1" {
		return fmt.Errorf("member %d still differs: %s transactions in all", m.id, n)
	}
	return nil
}

// metric is one of the member's, as mntr tells it; "" if it does not.
func (m *member) metric(name string) string {
	ctx, cancel := context.WithTimeout(m.c.t.Context(), 2*time.Second)
	defer cancel()
	text, err := words(ctx, m.addr(), "mntr")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+"\t"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
