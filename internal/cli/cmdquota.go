package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/quollhq/quoll/client"
)

const (
	quotaRoot  = "/zookeeper/quota"
	limitsName = "zookeeper_limits"
	statsName  = "zookeeper_stats"
)

func quotaCommands() []*command {
	limits := func(value bool) []option {
		opts := []option{
			{name: "n", help: "num soft quota", group: "limit"}, {name: "b", help: "bytes soft quota", group: "limit"},
			{name: "N", help: "num hard quota", group: "limit"}, {name: "B", help: "bytes hard quota", group: "limit"},
		}
		for i := range opts {
			if value {
				opts[i].value = "val"
			}
		}
		return opts
	}
	return []*command{
		{
			name: "setquota", usage: "-n|-b|-N|-B val path", options: limits(true),
			summary: "Limit a subtree",
			details: "Soft limits (-n, -b) are logged when they are passed. Hard ones (-N, -B) are enforced\nif the servers are told to (enforceQuota).",
			examples: []string{
				"setquota -n 1000 /app", "setquota -B 1048576 /app",
			},
			run: runSetQuota,
		},
		{
			name: "listquota", usage: "path", least: 1,
			summary:  "Print a subtree's limits and use",
			examples: []string{"listquota /app"},
			run:      runListQuota,
		},
		{
			name: "delquota", usage: "[-n|-b|-N|-B] path", least: 1, options: limits(false),
			summary:  "Take limits away",
			examples: []string{"delquota /app", "delquota -n /app"},
			run:      runDelQuota,
		},
	}
}

func runSetQuota(ctx context.Context, sh *shell, p *parsed) error {
	if len(p.values) == 0 {
		return failf("Missing required option: [-n num soft quota, -b bytes soft quota, -N num hard quota, -B bytes hard quota]")
	}
	if len(p.args) < 1 {
		return sh.find("setquota").wrongCall()
	}
	path := p.args[0]
	if strings.HasPrefix(path, quotaRoot) {
		sh.note("cannot set a quota under the path: %s", quotaRoot)
		return nil
	}
	wanted, problem := limitsOf(p)
	if problem != "" {
		sh.note("%s", problem)
		if sh.json {
			return failf("%s", problem)
		}
		return nil
	}
	return setQuota(ctx, sh, path, wanted)
}

// limitsOf reads the one limit that was given.
func limitsOf(p *parsed) (quotaTrack, string) {
	q := newLimits()
	for name, value := range p.values {
		counts := name == "n" || name == "N"
		bits := 64
		if counts {
			bits = 32
		}
		n, err := strconv.ParseInt(value, 10, bits)
		switch {
		case err != nil:
			return q, "NumberFormatException happens when parsing the option value"
		case counts && n <= 0:
			return q, "the num quota must be greater than zero"
		case n < 0:
			return q, "the bytes quota must be greater than or equal to zero"
		}
		q.set(quotaKeys[name], n)
	}
	return q, ""
}

// setQuota makes or changes the quota nodes of a path.
func setQuota(ctx context.Context, sh *shell, path string, wanted quotaTrack) error {
	c := sh.client()
	if _, found, err := c.Exists(ctx, path); err != nil {
		return err
	} else if !found {
		return failf("%s does not exist.", path)
	}
	if err := checkNested(ctx, c, path); err != nil {
		return err
	}
	if err := makeQuotaPath(ctx, c, path); err != nil {
		return err
	}
	limits, stats := quotaPath(path)+"/"+limitsName, quotaPath(path)+"/"+statsName
	old, _, err := c.Get(ctx, limits)
	if errors.Is(err, client.ErrNoNode) {
		return newQuota(ctx, sh, limits, stats, wanted)
	}
	if err != nil {
		return err
	}
	have := parseTrack(old)
	for key, n := range wanted.values {
		if n >= 0 {
			have.set(key, n)
		}
	}
	if err := warnExceeded(ctx, sh, have, stats); err != nil {
		return err
	}
	if _, err := c.Set(ctx, limits, []byte(have.String()), client.AnyVersion); err != nil {
		return err
	}
	return sh.emitPath(path)
}

// makeQuotaPath makes the nodes above a path's quota nodes. It looks before it
// creates: a create that is refused is a change, too.
func makeQuotaPath(ctx context.Context, c *client.Client, path string) error {
	at := quotaRoot
	for name := range strings.SplitSeq(path[1:], "/") {
		at += "/" + name
		_, found, err := c.Exists(ctx, at)
		if err != nil {
			return err
		}
		if found {
			continue
		}
		if _, err := c.Create(ctx, at, nil); err != nil && !errors.Is(err, client.ErrNodeExists) {
			return err
		}
	}
	return nil
}

func newQuota(ctx context.Context, sh *shell, limits, stats string, wanted quotaTrack) error {
	c := sh.client()
	if _, err := c.Create(ctx, limits, []byte(wanted.String())); err != nil {
		return err
	}
	zero := parseTrack(nil)
	zero.set("count", 0)
	zero.set("bytes", 0)
	if _, err := c.Create(ctx, stats, []byte(zero.String())); err != nil {
		return err
	}
	if err := warnExceeded(ctx, sh, wanted, stats); err != nil {
		return err
	}
	return sh.emitPath(strings.TrimSuffix(strings.TrimPrefix(limits, quotaRoot), "/"+limitsName))
}

// warnExceeded tells when a limit is below what is there.
func warnExceeded(ctx context.Context, sh *shell, limits quotaTrack, stats string) error {
	data, _, err := sh.client().Get(ctx, stats)
	if err != nil {
		return err
	}
	used := parseTrack(data)
	below := func(limit, have int64) bool { return limit > -1 && limit < have }
	if n := used.get("count"); below(limits.get("count"), n) || below(limits.get("countHardLimit"), n) {
		sh.say("[Warning]: the count quota you create is less than the existing count:%d", n)
	}
	if n := used.get("bytes"); below(limits.get("bytes"), n) || below(limits.get("byteHardLimit"), n) {
		sh.say("[Warning]: the bytes quota you create is less than the existing bytes:%d", n)
	}
	return nil
}

// checkNested refuses a quota above or below another one.
func checkNested(ctx context.Context, c *client.Client, path string) error {
	below, err := readTree(ctx, c, quotaPath(path), -1)
	if err != nil && !errors.Is(err, client.ErrNoNode) {
		return err
	}
	for at, names := range below {
		if at == quotaPath(path) {
			continue
		}
		for _, name := range names {
			if name == limitsName {
				return failf("%s has a child %s which has a quota", path, strings.TrimPrefix(at, quotaRoot))
			}
		}
	}
	parts := strings.Split(path, "/")
	at := quotaRoot
	for _, part := range parts[1 : len(parts)-1] {
		at += "/" + part
		_, found, err := c.Exists(ctx, at+"/"+limitsName)
		if err != nil {
			return err
		}
		if found {
			return failf("%s has a parent %s which has a quota", path, strings.TrimPrefix(at, quotaRoot))
		}
	}
	return nil
}

// quotaPath is where the quota nodes of a path are.
func quotaPath(path string) string { return quotaRoot + path }

func runListQuota(ctx context.Context, sh *shell, p *parsed) error {
	path := p.args[0]
	limitsPath := quotaRoot + path + "/" + limitsName
	sh.note("absolute path is %s", limitsPath)
	limits, _, err := sh.client().Get(ctx, limitsPath)
	var stats []byte
	if err == nil {
		stats, _, err = sh.client().Get(ctx, quotaRoot+path+"/"+statsName)
	}
	if errors.Is(err, client.ErrNoNode) {
		sh.note("quota for %s does not exist.", path)
		if sh.json {
			return err
		}
		return nil
	}
	if err != nil {
		return err
	}
	l, s := parseTrack(limits), parseTrack(stats)
	doc := map[string]any{"path": path, "limits": l.values, "stats": s.values}
	sh.emit(doc, func(w io.Writer) {
		fmt.Fprintf(w, "Output quota for %s %s\n", path, l)
		fmt.Fprintf(w, "Output stat for %s %s\n", path, s)
	})
	return nil
}

func runDelQuota(ctx context.Context, sh *shell, p *parsed) error {
	path := p.args[0]
	c := sh.client()
	limits := quotaRoot + path + "/" + limitsName
	data, _, err := c.Get(ctx, limits)
	if errors.Is(err, client.ErrNoNode) {
		sh.say("Quota does not exist for %s", path)
		return nil
	}
	if err != nil {
		return err
	}
	if len(p.values) > 0 {
		have := parseTrack(data)
		for name := range p.values {
			have.set(quotaKeys[name], -1)
		}
		if _, err := c.Set(ctx, limits, []byte(have.String()), client.AnyVersion); err != nil {
			return err
		}
		return sh.emitPath(path)
	}
	if err := dropQuota(ctx, c, quotaPath(path)); err != nil {
		return err
	}
	return sh.emitPath(path)
}

// dropQuota deletes the quota nodes at a path and the nodes above them that
// have no other children.
func dropQuota(ctx context.Context, c *client.Client, at string) error {
	names, err := c.ChildNames(ctx, at)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := c.Delete(ctx, at+"/"+name, client.AnyVersion); err != nil {
			return err
		}
	}
	for at != quotaRoot {
		names, err := c.ChildNames(ctx, at)
		if err != nil || len(names) > 0 {
			return err
		}
		if err := c.Delete(ctx, at, client.AnyVersion); err != nil {
			return err
		}
		at = at[:strings.LastIndexByte(at, '/')]
	}
	return nil
}
