package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// members is how many an ensemble has.
const members = 3

// trio is an ensemble. A member that ends leaves its directory, on which it is started again.
type trio struct {
	c       *comparison
	members []*process
}

// freshTrio starts an ensemble on new, empty directories. What it returns with an error is to be finished, too.
func (c *comparison) freshTrio(ctx context.Context, s subject, more map[string]string) (*trio, error) {
	t := &trio{c: c}
	keys := map[string]string{"initLimit": "10", "syncLimit": "5"}
	maps.Copy(keys, more)
	for i := range members {
		line, err := memberLine()
		if err != nil {
			return t, err
		}
		keys[fmt.Sprintf("server.%d", i+1)] = line
	}
	for i := range members {
		p, err := c.launchMember(s, i+1, keys)
		if err != nil {
			return t, err
		}
		t.members = append(t.members, p)
	}
	return t, t.ready(ctx)
}

// memberLine is where a member meets the others: a server.N.
func memberLine() (string, error) {
	quorum, err := freeAddr()
	if err != nil {
		return "", err
	}
	election, err := freeAddr()
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(election)
	return quorum + ":" + port, err
}

func (c *comparison) launchMember(s subject, id int, keys map[string]string) (*process, error) {
	dir, err := os.MkdirTemp(c.work, fmt.Sprintf("%s-%d-", s.name(), id))
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(data, "myid"), fmt.Appendln(nil, id), 0o644); err != nil {
		return nil, err
	}
	return c.launch(s, dir, keys)
}

// finishTrio ends all members and removes their data.
func (c *comparison) finishTrio(t *trio) error {
	var errs []error
	for _, p := range t.members {
		errs = append(errs, c.finish(p))
	}
	return errors.Join(errs...)
}

// ready waits until all members serve.
func (t *trio) ready(ctx context.Context) error {
	for _, p := range t.members {
		if err := p.waitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// together is a member that knows of the others.
func (t *trio) together() *process {
	p := *t.members[0]
	p.others = t.members[1:]
	return &p
}

// relaunch starts a member that has ended, on its directory.
func (t *trio) relaunch(i int) error {
	old := t.members[i]
	if err := old.log.Close(); err != nil {
		return err
	}
	p, err := t.c.launch(old.subject, old.dir, old.keys)
	if err == nil {
		t.members[i] = p
	}
	return err
}

// signal sends a signal to a member, and waits for its end if that is what comes of it.
func (t *trio) signal(i int, s syscall.Signal) error {
	p := t.members[i]
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("member %d: %w", i+1, err)
	}
	if s == syscall.SIGKILL || s == syscall.SIGTERM {
		<-p.exited
	}
	return nil
}

// leader waits until one member says that it leads and the others that they follow.
func (t *trio) leader(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	for {
		modes := make([]string, len(t.members))
		for i, p := range t.members {
			modes[i] = p.mode(ctx)
		}
		if sorted := slices.Sorted(slices.Values(modes)); slices.Equal(sorted, []string{"follower", "follower", "leader"}) {
			return slices.Index(modes, "leader"), nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("the members are %q: %w", modes, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// mode is what a member says of its role, empty if it says nothing.
func (p *process) mode(ctx context.Context) string {
	text, err := p.word(ctx, "srvr")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(text, "Mode: ")
	mode, _, _ := strings.Cut(rest, "\n")
	return mode
}

// word is the answer to a four-letter word.
func (p *process) word(ctx context.Context, word string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.addr)
	if err != nil {
		return "", err
	}
	defer nc.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = nc.SetDeadline(deadline)
	}
	if _, err := io.WriteString(nc, word); err != nil {
		return "", err
	}
	b, err := io.ReadAll(nc)
	return string(b), err
}

// except are the members but one.
func (t *trio) except(i int) []*process {
	return slices.Delete(slices.Clone(t.members), i, i+1)
}
