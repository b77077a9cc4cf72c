package admin

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// dataCommands write, replace and move data, and need a client that may.
func dataCommands() []command {
	return []command{
		{names: []string{"snapshot", "snap"}, auth: true, run: cmdSnapshot},
		{names: []string{"restore", "rest"}, auth: true, post: true, run: cmdRestore},
		{names: []string{"shed_connections", "shed"}, auth: true, post: true, run: cmdShed},
	}
}

// refuse is the answer if a command on the whole state must not run now, and nil
// if it may.
func (a *Admin) refuse(c *call, name string, enabled bool, limit *limiter, limited *atomic.Int64) *response {
	switch {
	case !enabled:
		a.Logger.Warn("the command " + name + " is switched off (admin." + name + ".enabled)")
		return c.fail(http.StatusServiceUnavailable, "")
	case !a.Config.Storage.LastProcessedZxid:
		a.Logger.Warn("the command " + name + " needs serializeLastProcessedZxid.enabled")
		return c.fail(http.StatusInternalServerError, "")
	case !limit.allow(time.Now()):
		limited.Add(1)
		a.Logger.Warn("the command " + name + " was refused by its rate limit")
		return c.fail(http.StatusTooManyRequests, "")
	}
	return nil
}

// cmdSnapshot writes a snapshot and, unless told not to, sends the file.
func cmdSnapshot(a *Admin, c *call) *response {
	if r := a.refuse(c, "snapshot", a.Config.Admin.Snapshot, &a.snapshotLimit, &a.fails.snapshotLimited); r != nil {
		return r
	}
	r, err := a.snapshot(c)
	if err != nil {
		a.fails.snapshot.Add(1)
		a.Logger.Error("the command snapshot failed", "error", err)
		return c.fail(http.StatusInternalServerError, "")
	}
	return r
}

func (a *Admin) snapshot(c *call) (*response, error) {
	snap, err := c.node.Host.Snapshot(c.ctx)
	if err != nil {
		return nil, err
	}
	r := c.answer()
	r.header = map[string]string{
		"last_zxid":     "0x" + strconv.FormatUint(uint64(snap.Zxid), 16),
		"snapshot_size": strconv.FormatInt(snap.Size, 10),
	}
	if c.args.Has("streaming") && !strings.EqualFold(c.args.Get("streaming"), "true") {
		return r, nil
	}
	r.stream, err = os.Open(snap.Path)
	if err == nil {
		r.header["Content-Length"] = r.header["snapshot_size"]
	}
	return r, err
}

// cmdRestore replaces the state by the snapshot in the request's body.
func cmdRestore(a *Admin, c *call) *response {
	if r := a.refuse(c, "restore", a.Config.Admin.Restore, &a.restoreLimit, &a.fails.restoreLimited); r != nil {
		return r
	}
	start := time.Now()
	zxid, err := c.node.Host.Restore(c.ctx, c.body)
	if err != nil {
		a.fails.restore.Add(1)
		a.Logger.Error("the command restore failed; the state is the one from before", "error", err)
		return c.fail(http.StatusInternalServerError, "")
	}
	a.restoreTime.Add(1, time.Since(start))
	return c.answer(field{"last_zxid", zxid})
}

// maxShedBody bounds the request of shed_connections.
const maxShedBody = 64 << 10

// cmdShed closes a share of the connections, so that their clients go to other
// servers.
func cmdShed(a *Admin, c *call) *response {
	bad := func(text string) *response {
		r := c.answer(field{"error", text})
		r.status = http.StatusBadRequest
		return r
	}
	var body map[string]any
	if err := json.NewDecoder(io.LimitReader(c.body, maxShedBody)).Decode(&body); err != nil {
		return bad("Invalid JSON or failed to read request body: " + err.Error())
	}
	value, ok := body["percentage"]
	if !ok {
		return bad("Missing required field: percentage")
	}
	percentage := asInt(value)
	if percentage < 0 || percentage > 100 {
		return bad("Percentage must be between 0 and 100")
	}
	pick := func() bool { return percentage == 100 || rand.Float64()*100 < float64(percentage) }
	shed := 0
	if percentage > 0 {
		const reason = "an operator asked to shed connections"
		shed = c.node.Listener.Shed(false, reason, pick) + c.node.Listener.Shed(true, reason, pick)
	}
	a.Logger.Info("connections shed", "closed", shed, "percentage", percentage)
	return c.answer(field{"connections_shed", shed}, field{"percentage_requested", percentage})
}

// asInt takes numbers and texts with a number; anything else is 0.
func asInt(v any) int {
	switch v := v.(type) {
	case float64:
		return int(min(max(v, -1), 101))
	case string:
		n, _ := strconv.Atoi(strings.TrimSpace(v))
		return n
	case bool:
		if v {
			return 1
		}
	}
	return 0
}
