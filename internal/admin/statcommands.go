package admin

import (
	"strconv"

	"github.com/quollhq/quoll/internal/listener"
)

// statCommands show and reset figures.
func statCommands() []command {
	return []command{
		{names: []string{"connection_stat_reset", "crst"}, run: cmdConnectionReset},
		{names: []string{"connections", "cons"}, run: cmdConnections},
		{names: []string{"dirs"}, run: cmdDirs},
		{names: []string{"environment", "env", "envi"}, noNode: true, run: cmdEnvironment},
		{names: []string{"get_trace_mask", "gtmk"}, noNode: true, run: cmdTraceMask},
		{names: []string{"set_trace_mask", "stmk"}, noNode: true, run: cmdSetTraceMask},
		{names: []string{"monitor", "mntr"}, noNode: true, run: cmdMonitor},
		{names: []string{"ruok"}, run: func(_ *Admin, c *call) *response { return c.answer() }},
		{names: []string{"server_stats", "srvr"}, run: cmdServerStats},
		{names: []string{"stats", "stat"}, run: cmdStats},
		{names: []string{"stat_reset", "srst"}, run: cmdStatReset},
		{names: []string{"system_properties", "sysp"}, noNode: true, run: cmdSystemProperties},
	}
}

func cmdConnectionReset(_ *Admin, c *call) *response {
	c.node.Listener.ResetStats()
	return c.answer()
}

func cmdStatReset(a *Admin, c *call) *response {
	a.resetStats(c.node)
	return c.answer()
}

func cmdConnections(a *Admin, c *call) *response {
	plain, secure := a.connections(c.node, false)
	return c.answer(field{"connections", plain}, field{"secure_connections", secure})
}

// connections describes those without and those with encryption.
func (a *Admin) connections(n *Node, brief bool) (plain, secure []object) {
	conns := n.Listener.Conns()
	for i := range conns {
		o := a.connection(&conns[i], brief)
		if conns[i].Secure {
			secure = append(secure, o)
		} else {
			plain = append(plain, o)
		}
	}
	return plain, secure
}

func (a *Admin) connection(c *listener.ConnInfo, brief bool) object {
	o := object{
		{"remote_socket_address", hostPort(c.Addr)},
		{"interest_ops", interest(c)},
		{"outstanding_requests", c.Pending},
		{"packets_received", c.Received},
		{"packets_sent", c.Sent},
	}
	if brief {
		return o
	}
	return append(o, object{
		{"session_id", c.Session},
		{"last_operation", lastOp(c)},
		{"established", c.Established.UnixMilli()},
		{"session_timeout", int64(c.Timeout)},
		{"last_cxid", int64(c.LastXid)},
		{"last_zxid", c.LastZxid},
		{"last_response_time", a.elapsed(c.LastResponse)},
		{"last_latency", c.LastLatency.Milliseconds()},
		{"min_latency", c.MinLatency.Milliseconds()},
		{"avg_latency", c.AvgLatency.Milliseconds()},
		{"max_latency", c.MaxLatency.Milliseconds()},
	}...)
}

func cmdDirs(_ *Admin, c *call) *response {
	data, logs := dirSizes(c.node)
	return c.answer(field{"datadir_size", data}, field{"logdir_size", logs})
}

func cmdEnvironment(a *Admin, c *call) *response { return c.answer(a.environment()...) }

func cmdTraceMask(a *Admin, c *call) *response {
	return c.answer(field{"tracemask", a.trace.Load()})
}

func cmdSetTraceMask(a *Admin, c *call) *response {
	const want = "setTraceMask requires long traceMask argument"
	if !c.args.Has("traceMask") {
		return c.answer(field{"error", want})
	}
	text := c.args.Get("traceMask")
	mask, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return c.answer(field{"error", want + ", got " + text})
	}
	a.trace.Store(mask)
	return c.answer(field{"tracemask", mask})
}

func cmdMonitor(a *Admin, c *call) *response {
	r := c.answer()
	a.monitor(c.node, func(key string, value any) { r.data = append(r.data, field{key, value}) })
	return r
}

func cmdServerStats(a *Admin, c *call) *response { return c.answer(a.serverStats(c.node)...) }

func cmdStats(a *Admin, c *call) *response {
	plain, secure := a.connections(c.node, true)
	return c.answer(append(a.serverStats(c.node), field{"connections", plain}, field{"secure_connections", secure})...)
}

func (a *Admin) serverStats(n *Node) object {
	last, shortest, longest := n.Engine.Metrics.ResponseSizes()
	sizes := object{{"last_buffer_size", last}, {"min_buffer_size", shortest}, {"max_buffer_size", longest}}
	return object{
		{"version", a.Version},
		{"read_only", n.Engine.ReadsOnly()},
		{"server_stats", a.statsObject(n, sizes)},
		{"client_response", sizes},
		{"node_count", treeFigures(n).nodes},
	}
}

func (a *Admin) statsObject(n *Node, sizes object) object {
	s := a.scrape(n)
	data, logs := dirSizes(n)
	return object{
		{"packets_sent", s.m.Sent.Load()},
		{"packets_received", s.m.Received.Load()},
		{"fsync_threshold_exceed_count", n.Host.SlowSyncs()},
		{"client_response_stats", sizes},
		{"data_dir_size", data},
		{"log_dir_size", logs},
		{"last_processed_zxid", n.Engine.Zxid()},
		{"outstanding_requests", n.Engine.InFlight()},
		{"server_state", n.Mode()},
		{"avg_latency", average(s.all)},
		{"max_latency", s.all.Max.Milliseconds()},
		{"min_latency", s.all.Min.Milliseconds()},
		{"num_alive_client_connections", n.Listener.Len()},
		{"uptime", s.now.Sub(a.Began).Milliseconds()},
		{"auth_failed_count", n.Listener.AuthFailed.Load()},
		{"non_mtlsremote_conn_count", 0},
		{"non_mtlslocal_conn_count", 0},
		{"provider_null", false},
	}
}

func cmdSystemProperties(a *Admin, c *call) *response { return c.answer(a.properties()...) }
