package admin

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/quollhq/quoll/internal/config"
)

// stateCommands show configuration, sessions, ephemerals and watches.
func stateCommands() []command {
	return []command{
		{names: []string{"configuration", "conf", "config"}, run: cmdConfiguration},
		{names: []string{"dump"}, run: cmdDump},
		{names: []string{"hash"}, run: cmdHash},
		{names: []string{"initial_configuration", "icfg"}, run: cmdInitialConfiguration},
		{names: []string{"last_snapshot", "lsnp"}, run: cmdLastSnapshot},
		{names: []string{"watches", "wchc"}, run: cmdWatches},
		{names: []string{"watches_by_path", "wchp"}, run: cmdWatchesByPath},
		{names: []string{"watch_summary", "wchs"}, run: cmdWatchSummary},
	}
}

func cmdConfiguration(a *Admin, c *call) *response {
	r := c.answer()
	for _, e := range a.Config.Conf(a.live(c.node)) {
		r.data = append(r.data, field{e.Key, e.Value})
	}
	return r
}

func cmdDump(_ *Admin, c *call) *response {
	expiries, owners := object{}, object{}
	for _, s := range c.node.Engine.Sessions.Expiries() {
		expiries = append(expiries, field{strconv.FormatInt(s.At, 10), s.IDs})
	}
	for _, e := range listEphemerals(c.node) {
		owners = append(owners, field{strconv.FormatInt(e.session, 10), e.paths})
	}
	return c.answer(field{"expiry_time_to_session_ids", expiries}, field{"session_id_to_ephemeral_paths", owners})
}

func cmdHash(_ *Admin, c *call) *response {
	var list []object
	for _, d := range c.node.Engine.Digests() {
		list = append(list, object{{"zxid", d.Zxid}, {"digest_version", d.Version}, {"digest", int64(d.Digest)}})
	}
	return c.answer(field{"digests", list})
}

// hidden stands for a value that nobody who can reach the port should see.
const hidden = "***"

// secrets are the keys whose values are hidden.
func secrets() []string {
	var names []string
	for _, k := range config.Keys() {
		if k.Kind == config.KindSecret {
			names = append(names, k.Name)
		}
	}
	return names
}

func isSecret(key string, names []string) bool {
	return slices.Contains(names, strings.TrimPrefix(key, "zookeeper."))
}

// cmdInitialConfiguration gives the configuration file as it was read, without
// its passwords.
func cmdInitialConfiguration(a *Admin, c *call) *response {
	names := secrets()
	lines := strings.SplitAfter(a.Config.FileText, "\n")
	for i, line := range lines {
		end := strings.IndexAny(line, "=: \t")
		if end < 0 || !isSecret(strings.TrimSpace(line[:end]), names) {
			continue
		}
		lines[i] = line[:end+1] + hidden
		if strings.HasSuffix(line, "\n") {
			lines[i] += "\n"
		}
	}
	return c.answer(field{"initial_configuration", strings.Join(lines, "")})
}

// properties has what Apache's server knows as Java's system properties: about
// the machine, and the settings of the file.
func (a *Admin) properties() object {
	all := object{
		{"file.separator", "/"}, {"line.separator", "\n"}, {"path.separator", ":"}, {"file.encoding", "UTF-8"},
	}
	for _, f := range a.environment() {
		if !strings.HasPrefix(f.key, "os.memory") && f.key != "host.name" && f.key != "zookeeper.version" {
			all = append(all, f)
		}
	}
	names := secrets()
	settings, err := config.ParseProperties(a.Config.File, []byte(a.Config.FileText))
	if err != nil {
		settings = nil // the server would not have started with it
	}
	for _, p := range settings {
		value := p.Value
		if isSecret(p.Key, names) {
			value = hidden
		}
		all.set("zookeeper."+strings.TrimPrefix(p.Key, "zookeeper."), value)
	}
	slices.SortFunc(all, func(x, y field) int { return strings.Compare(x.key, y.key) })
	return all
}

// cmdLastSnapshot says when the newest snapshot was written, in seconds.
func cmdLastSnapshot(_ *Admin, c *call) *response {
	last, ok := c.node.Host.LastSnapshot()
	if !ok {
		return c.answer(field{"zxid", "ffffffffffffffff"}, field{"timestamp", -1})
	}
	return c.answer(field{"zxid", strconv.FormatUint(uint64(last.Zxid), 16)}, field{"timestamp", last.Time.Unix()})
}

func cmdWatches(_ *Admin, c *call) *response {
	o := object{}
	for _, w := range c.node.Engine.Watches.ByWatcher() {
		if id, ok := sessionOf(c.node, w.ID); ok {
			o = append(o, field{strconv.FormatInt(id, 10), w.Paths})
		}
	}
	return c.answer(field{"session_id_to_watched_paths", o})
}

func cmdWatchesByPath(_ *Admin, c *call) *response {
	o := object{}
	for _, p := range c.node.Engine.Watches.ByPath() {
		o = append(o, field{p.Path, sessionsOf(c.node, p.IDs)})
	}
	return c.answer(field{"path_to_session_ids", o})
}

func cmdWatchSummary(_ *Admin, c *call) *response {
	s := c.node.Engine.Watches.Summary()
	return c.answer(field{"num_connections", s.Connections}, field{"num_paths", s.Paths}, field{"num_total_watches", s.Watches})
}

// ensembleCommands have something to tell on members of an ensemble only.
func ensembleCommands() []command {
	return []command{
		{names: []string{"hand_over", "hovr"}, auth: true, post: true, run: cmdHandOver},
		{names: []string{"is_read_only", "isro"}, run: func(_ *Admin, c *call) *response {
			return c.answer(field{"read_only", c.node.Engine.ReadsOnly()})
		}},
		{names: []string{"leader", "lead"}, run: cmdLeader},
		{names: []string{"observer_connection_stat_reset", "orst"}, run: cmdObserverReset},
		{names: []string{"observers", "obsr"}, run: cmdObservers},
		{names: []string{"voting_view"}, run: cmdVotingView},
		{names: []string{"zabstate"}, noNode: true, run: cmdZabState},
	}
}

// cmdHandOver lets another member lead.
func cmdHandOver(a *Admin, c *call) *response {
	leader, err := c.node.Host.HandOver(c.ctx)
	if err != nil {
		a.Logger.Warn("the command hand_over came to nothing", "error", err)
		return c.fail(http.StatusConflict, err.Error())
	}
	return c.answer(field{"leader", leader})
}
