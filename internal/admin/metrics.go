package admin

import (
	"context"
	"runtime"
	"time"

	"github.com/quollhq/quoll/internal/peer"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/request"
	"github.com/quollhq/quoll/internal/tally"
)

// kind is what a metric counts as.
type kind uint8

const (
	gauge    kind = iota
	counter       // only grows, until srst
	basic         // a summary without percentiles in mntr
	advanced      // a summary with them
)

// metric is one name of the catalogue with where its value comes from. One of
// the functions is set; a name that this server has nothing to say about has
// none, and is 0.
type metric struct {
	name string
	kind kind
	help string
	num  func(*scrape) int64
	real func(*scrape) float64
	sum  func(*scrape) summary
	// view is the distribution behind sum, where there is one.
	view func(*scrape) tally.LatencyView
}

// scrape is what one look at the server found.
type scrape struct {
	a        *Admin
	n        *Node
	m        *request.Metrics
	e        *peer.Metrics // with nothing in it for a server that is alone
	seat     *Seat         // nil unless it is a member that serves
	spaces   map[string]*request.Namespace
	now      time.Time
	tree     treeView
	all      tally.LatencyView
	reads    tally.LatencyView
	writes   tally.LatencyView
	syncs    tally.LatencyView
	snaps    tally.LatencyView
	restores tally.LatencyView
	startup  Startup
	feed     Feed
}

func (a *Admin) scrape(n *Node) *scrape {
	s := &scrape{a: a, n: n, now: time.Now()}
	if n == nil {
		return s
	}
	s.m, s.e = &n.Engine.Metrics, ensemble(n.Host)
	s.spaces = n.Engine.Namespaces()
	s.tree = treeFigures(n)
	s.reads, s.writes, s.syncs = s.m.Reads.View(), s.m.Writes.View(), s.m.SyncTime.View()
	s.all = s.reads.Plus(s.writes)
	s.snaps, s.restores = n.Host.SnapshotTime(), a.restoreTime.View()
	s.startup = n.Host.Startup()
	ctx, cancel := context.WithTimeout(context.Background(), feedTime)
	defer cancel()
	s.feed = n.Host.Feed(ctx)
	if seat, ok := n.Host.Seat(); ok {
		s.seat = &seat
	}
	return s
}

// number is the value of a gauge or counter, and whether it is a whole number.
func (m *metric) number(s *scrape) (value float64, whole bool) {
	switch {
	case s.n == nil:
		return 0, m.real == nil
	case m.num != nil:
		return float64(m.num(s)), true
	case m.real != nil:
		return m.real(s), false
	}
	return 0, true
}

// summary is the value of a summary since the beginning or the last reset.
func (m *metric) summary(s *scrape) summary {
	switch {
	case s.n == nil:
	case m.view != nil:
		return latencySummary(m.view(s))
	case m.sum != nil:
		return m.sum(s)
	}
	return summary{}
}

func num(name, help string, f func(*scrape) int64) metric {
	return metric{name: name, help: help, num: f}
}

func real(name, help string, f func(*scrape) float64) metric {
	return metric{name: name, help: help, real: f}
}

func count(name, help string, f func(*scrape) int64) metric {
	return metric{name: name, kind: counter, help: help, num: f}
}

// times is a summary of durations in milliseconds.
func times(k kind, name, help string, f func(*scrape) tally.LatencyView) metric {
	return metric{name: name, kind: k, help: help, view: f}
}

func sizes(name, help string, f func(*scrape) summary) metric {
	return metric{name: name, kind: basic, help: help, sum: f}
}

// helpNone is the help of names that existing dashboards ask for and that mean
// nothing here.
const helpNone = "A figure of Apache ZooKeeper that this server has no counterpart of: always 0."

// none are names without a counterpart.
func none(k kind, names ...string) []metric {
	list := make([]metric, len(names))
	for i, name := range names {
		list[i] = metric{name: name, kind: k, help: helpNone}
	}
	return list
}

// gauges are there only while the server serves, as Apache's.
func gauges() []metric {
	return []metric{
		num("ephemerals_count", "Ephemeral znodes.", func(s *scrape) int64 { return int64(s.tree.ephemerals) }),
		num("num_alive_connections", "Connections of clients.", func(s *scrape) int64 { return int64(s.n.Listener.Len()) }),
		real("avg_latency", "Average time to answer a request, in milliseconds.", func(s *scrape) float64 { return average(s.all) }),
		num("outstanding_requests", "Writes that are not answered so far.", func(s *scrape) int64 { return int64(s.n.Engine.InFlight()) }),
		num("znode_count", "Znodes.", func(s *scrape) int64 { return int64(s.tree.nodes) }),
		num("global_sessions", "Sessions of the replicated state.", func(s *scrape) int64 { return int64(s.n.Engine.Sessions.Len() - s.n.Engine.Sessions.LenLocal()) }),
		num("non_mtls_remote_conn_count", helpNone, nil),
		num("last_client_response_size", "Length of the last reply in bytes.", func(s *scrape) int64 { last, _, _ := s.m.ResponseSizes(); return last }),
		num("packets_sent", "Replies and notifications sent.", func(s *scrape) int64 { return s.m.Sent.Load() }),
		num("packets_received", "Requests received.", func(s *scrape) int64 { return s.m.Received.Load() }),
		num("max_client_response_size", "Length of the longest reply in bytes.", func(s *scrape) int64 { _, _, high := s.m.ResponseSizes(); return high }),
		real("connection_drop_probability", "Chance of a new session to be refused by the connection throttle.", dropChance),
		num("watch_count", "Watches.", func(s *scrape) int64 { return int64(s.n.Engine.Watches.Len()) }),
		num("auth_failed_count", "Refused authentications.", func(s *scrape) int64 { return s.n.Listener.AuthFailed.Load() }),
		num("min_latency", "Shortest time to answer a request, in milliseconds.", func(s *scrape) int64 { return s.all.Min.Milliseconds() }),
		num("max_file_descriptor_count", "Limit of open files.", func(*scrape) int64 { return maxFiles() }),
		num("approximate_data_size", "Bytes of all paths and data.", func(s *scrape) int64 { return s.tree.dataSize }),
		num("open_file_descriptor_count", "Open files.", func(*scrape) int64 { return openFiles() }),
		num("local_sessions", "Sessions that only this server knows.", func(s *scrape) int64 { return int64(s.n.Engine.Sessions.LenLocal()) }),
		num("uptime", "Milliseconds since the start.", func(s *scrape) int64 { return s.now.Sub(s.a.Began).Milliseconds() }),
		num("max_latency", "Longest time to answer a request, in milliseconds.", func(s *scrape) int64 { return s.all.Max.Milliseconds() }),
		num("outstanding_tls_handshake", "TLS handshakes under way.", func(s *scrape) int64 { return s.n.Listener.Handshakes() }),
		num("min_client_response_size", "Length of the shortest reply in bytes.", func(s *scrape) int64 { _, low, _ := s.m.ResponseSizes(); return low }),
		num("non_mtls_local_conn_count", helpNone, nil),
	}
}

// dropChance is that of the connection throttle, if there is one.
func dropChance(s *scrape) float64 {
	if g, ok := s.n.Listener.Gate.(interface{ DropChance() float64 }); ok {
		return g.DropChance()
	}
	return 0
}

func counters() []metric {
	list := []metric{
		count("watch_bytes", "Bytes of notifications sent.", func(s *scrape) int64 { return s.m.WatchBytes.Load() }),
		count("stale_requests_dropped", "Requests dropped because nobody waited for them any more.", func(s *scrape) int64 { return s.n.Listener.Throttle.Dropped.Load() }),
		count("throttled_ops", "Requests refused because they had to wait too long.", func(s *scrape) int64 { return s.n.Listener.Throttle.Refused.Load() }),
		count("insecure_admin_count", "Plain requests to an admin server that speaks TLS, too.", func(s *scrape) int64 { return s.a.fails.insecure.Load() }),
		count("connection_rejected", "Connections refused.", func(s *scrape) int64 { return s.n.Listener.Rejected.Load() }),
		count("sessionless_connections_expired", "Connections closed because they opened no session in time.", func(s *scrape) int64 { return s.n.Listener.Sessionless.Load() }),
		count("stale_requests", "Requests that nobody waited for any more.", func(s *scrape) int64 { return s.n.Listener.Throttle.Stale.Load() }),
		count("connection_drop_count", "Connections that have ended.", func(s *scrape) int64 { return s.n.Listener.Dropped.Load() }),
		count("bytes_received_count", "Bytes received from clients.", func(s *scrape) int64 { return s.n.Listener.Received.Load() }),
		count("request_throttle_wait_count", "How often requests had to wait in the throttle.", func(s *scrape) int64 { return s.n.Listener.Throttle.Waits.Load() }),
		count("prep_processor_request_queued", "Writes prepared.", func(s *scrape) int64 { return s.m.Batches.View().Sum }),
		count("response_bytes", "Bytes of replies sent.", func(s *scrape) int64 { return s.m.ResponseBytes.Load() }),
		count("ensemble_auth_fail", "Clients that named another ensemble.", func(s *scrape) int64 { _, n, _ := s.n.Engine.Auth.EnsembleCounts(); return n }),
		count("ensemble_auth_skip", "Clients whose ensemble could not be judged.", func(s *scrape) int64 { _, _, n := s.n.Engine.Auth.EnsembleCounts(); return n }),
		count("ensemble_auth_success", "Clients that named this ensemble.", func(s *scrape) int64 { n, _, _ := s.n.Engine.Auth.EnsembleCounts(); return n }),
		count("connection_revalidate_count", "Clients that came back to a session.", func(s *scrape) int64 { return s.n.Listener.Renewals.Load() }),
		count("commit_count", "Transactions applied.", func(s *scrape) int64 { return s.m.Commits.Load() }),
		count("proposal_count", "Transactions made durable.", func(s *scrape) int64 { return s.m.Proposals.Load() }),
		count("restore_error_count", "Restores by command that failed.", func(s *scrape) int64 { return s.a.fails.restore.Load() }),
		count("snapshot_rate_limited_count", "Snapshot commands refused by the rate limit.", func(s *scrape) int64 { return s.a.fails.snapshotLimited.Load() }),
		count("state_resyncs_count", "Times that this member's state differed from the ensemble's and was taken anew.", func(s *scrape) int64 { return s.m.Resyncs.Load() }),
		count("digest_mismatches_count", "Transactions after which the tree's digest was not the expected one.", func(s *scrape) int64 { return s.m.DigestMismatches.Load() }),
		count("snapshot_error_count", "Snapshots by command that failed.", func(s *scrape) int64 { return s.a.fails.snapshot.Load() }),
		count("connection_request_count", "Sessions asked for, new ones and known ones.", func(s *scrape) int64 { return s.n.Listener.Requests.Load() }),
		count("stale_sessions_expired", "Sessions that have expired.", func(s *scrape) int64 { return s.m.Expired.Load() }),
		count("restore_rate_limited_count", "Restore commands refused by the rate limit.", func(s *scrape) int64 { return s.a.fails.restoreLimited.Load() }),
		count("sync_processor_request_queued", "Writes handed to the log.", func(s *scrape) int64 { return s.batches().Sum }),
		count("tls_handshake_exceeded", "TLS handshakes refused because there were too many.", func(s *scrape) int64 { return s.n.Listener.HandshakesRefused.Load() }),
		count("large_requests_rejected", "Large requests refused because there were too many.", func(s *scrape) int64 { return s.n.Listener.LargeRefused.Load() }),
		count("ttl_node_deleted_count", "Znodes removed because their time to live was over.", func(s *scrape) int64 { return s.m.TTLDeleted.Load() }),
		count("op_count_total", "Requests answered.", func(s *scrape) int64 { return s.all.Count }),
	}
	for _, op := range countedOps() {
		list = append(list, count("op_count_"+op.name, "Requests of this kind.", op.count))
	}
	list = append(list, ensembleCounters()...)
	return append(list, none(counter,
		"dead_watchers_queued", "response_packet_cache_hits", "add_dead_watcher_stall_time",
		"requests_not_forwarded_to_commit_processor", "response_packet_cache_misses", "stale_replies",
		"quit_leading_due_to_disloyal_voter", "unrecoverable_error_count", "unsuccessful_handshake", "outstanding_changes_queued",
		"skip_learner_request_to_next_processor_count", "outstanding_changes_removed", "cnxn_closed_without_zk_server_running",
		"dead_watchers_cleared", "response_packet_get_children_cache_misses", "response_packet_get_children_cache_hits")...)
}

// opCount counts requests of one or more opcodes under one name.
type opCount struct {
	name string
	ops  []proto.Op
}

func (o opCount) count(s *scrape) int64 {
	var n int64
	for _, op := range o.ops {
		n += s.m.Op(op)
	}
	return n
}

// countedOps has the names that Apache's newest source counts under.
func countedOps() []opCount {
	return []opCount{
		{"add_watch", []proto.Op{proto.OpAddWatch}},
		{"check", []proto.Op{proto.OpCheck}},
		{"check_watches", []proto.Op{proto.OpCheckWatches}},
		{"close_session", []proto.Op{proto.OpCloseSession}},
		{"create", []proto.Op{proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL}},
		{"create_session", []proto.Op{proto.OpCreateSession}},
		{"delete", []proto.Op{proto.OpDelete, proto.OpDeleteContainer}},
		{"exists", []proto.Op{proto.OpExists}},
		{"get_acl", []proto.Op{proto.OpGetACL}},
		{"get_all_children_number", []proto.Op{proto.OpGetAllChildrenNumber}},
		{"get_children", []proto.Op{proto.OpGetChildren, proto.OpGetChildren2}},
		{"get_data", []proto.Op{proto.OpGetData}},
		{"get_ephemerals", []proto.Op{proto.OpGetEphemerals}},
		{"multi", []proto.Op{proto.OpMulti}},
		{"multi_read", []proto.Op{proto.OpMultiRead}},
		{"ping", []proto.Op{proto.OpPing}},
		{"reconfig", []proto.Op{proto.OpReconfig}},
		{"remove_watches", []proto.Op{proto.OpRemoveWatches}},
		{"set_acl", []proto.Op{proto.OpSetACL}},
		{"set_data", []proto.Op{proto.OpSetData}},
		{"set_watches", []proto.Op{proto.OpSetWatches, proto.OpSetWatches2}},
		{"sync", []proto.Op{proto.OpSync}},
		{"who_am_i", []proto.Op{proto.OpWhoAmI}},
	}
}

// told is the summary of how many watchers an event of a type was for.
func told(t proto.EventType) func(*scrape) summary {
	return func(s *scrape) summary { return sizesSummary(s.m.Events[t].View()) }
}

func summaries() []metric {
	list := []metric{
		sizes("node_created_watch_count", "Watchers told of a created znode.", told(proto.EventNodeCreated)),
		sizes("node_deleted_watch_count", "Watchers told of a deleted znode.", told(proto.EventNodeDeleted)),
		sizes("node_changed_watch_count", "Watchers told of changed data.", told(proto.EventNodeDataChanged)),
		sizes("node_children_watch_count", "Watchers told of changed children.", told(proto.EventNodeChildrenChanged)),
		sizes("startup_txns_load_time", "Time to replay the logs at the start, in milliseconds.", func(s *scrape) summary { return one(s.startup.LogTime) }),
		sizes("startup_txns_loaded", "Transactions replayed at the start.", func(s *scrape) summary { return single(float64(s.startup.Transactions)) }),
		sizes("startup_snap_load_time", "Time to read the snapshot at the start, in milliseconds.", func(s *scrape) summary { return one(s.startup.SnapshotTime) }),
		sizes("dbinittime", "Time to load the data at the start, in milliseconds.", func(s *scrape) summary { return one(s.startup.SnapshotTime + s.startup.LogTime) }),
		times(basic, "fsynctime", "Time of a sync of the log, in milliseconds.", func(s *scrape) tally.LatencyView { return s.syncs }),
		times(basic, "restore_time", "Time of a restore by command, in milliseconds.", func(s *scrape) tally.LatencyView { return s.restores }),
		times(basic, "snapshottime", "Time to write a snapshot, in milliseconds.", func(s *scrape) tally.LatencyView { return s.snaps }),
		sizes("sync_processor_batch_size", "Writes that share a sync.", func(s *scrape) summary { return sizesSummary(s.batches()) }),
	}
	list = append(list, ensembleBasics()...)
	list = append(list, none(basic,
		"socket_closing_time", "proposal_process_time", "session_queues_drained", "write_commit_proc_req_queued",
		"connection_token_deficit", "read_commit_proc_req_queued", "sync_processor_queue_size", "prep_processor_queue_size",
		"reads_issued_from_session_queue", "learner_request_processor_queue_size", "reads_after_write_in_session_queue",
		"requests_in_session_queue", "write_commit_proc_issued", "prep_process_time", "pending_session_queue_size",
		"time_waiting_empty_pool_in_commit_processor_read_ms", "commit_process_time", "netty_queued_buffer_capacity",
		"commit_commit_proc_req_queued", "write_batch_time_in_commit_processor", "read_commit_proc_issued",
		"concurrent_request_processing_in_commit_processor", "sync_process_time")...)
	list = append(list,
		times(advanced, "updatelatency", "Time to answer a write, in milliseconds.", func(s *scrape) tally.LatencyView { return s.writes }),
		times(advanced, "readlatency", "Time to answer a read, in milliseconds.", func(s *scrape) tally.LatencyView { return s.reads }),
		times(advanced, "sync_processor_queue_flush_time_ms", "Time to make a batch of writes durable, in milliseconds.", func(s *scrape) tally.LatencyView { return s.syncs }))
	list = append(list, ensembleTimes()...)
	return append(list, none(advanced,
		"prep_processor_queue_time_ms", "jvm_pause_time_ms", "close_session_prep_time", "read_commitproc_time_ms",
		"local_write_committed_time_ms", "request_throttle_queue_time_ms", "om_commit_process_time_ms", "read_final_proc_time_ms",
		"dead_watchers_cleaner_latency", "write_final_proc_time_ms", "om_proposal_process_time_ms",
		"sync_processor_queue_and_flush_time_ms", "server_write_committed_time_ms", "sync_processor_queue_time_ms",
		"write_commitproc_time_ms")...)
}

// ownMetrics are those that Apache has no name for. mntr does not show them.
func ownMetrics() []metric {
	return []metric{
		num("quoll_tree_mapped_bytes", "Memory that the tree took from the system, outside of Go's heap.", func(s *scrape) int64 { return s.tree.mapped }),
		num("quoll_tree_used_bytes", "Memory that the tree uses, outside of Go's heap.", func(s *scrape) int64 { return s.tree.used }),
		num("quoll_containers", "Container znodes.", func(s *scrape) int64 { return int64(s.tree.containers) }),
		num("quoll_ttl_znodes", "Znodes with a time to live.", func(s *scrape) int64 { return int64(s.tree.ttls) }),
		num("quoll_last_zxid", "The last applied transaction.", func(s *scrape) int64 { return s.n.Engine.Zxid() }),
		num("quoll_log_queue", "Writes that wait for the disk.", func(s *scrape) int64 { return int64(s.n.Engine.QueueLen()) }),
		num("quoll_last_snapshot_zxid", "The last transaction in the newest snapshot, -1 without any.", func(s *scrape) int64 {
			if last, ok := s.n.Host.LastSnapshot(); ok {
				return last.Zxid
			}
			return -1
		}),
		count("quoll_containers_deleted_total", "Containers removed because they were empty.", func(s *scrape) int64 { return s.m.ContainersDeleted.Load() }),
		count("quoll_slow_syncs_total", "Syncs of the log that took longer than fsync.warningthresholdms.", func(s *scrape) int64 { return s.n.Host.SlowSyncs() }),
		num("quoll_threads", "Processors that run Go code at a time.", func(*scrape) int64 { return int64(runtime.GOMAXPROCS(0)) }),
	}
}
