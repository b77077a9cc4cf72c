package admin

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/quollhq/quoll/internal/config"
	"github.com/quollhq/quoll/internal/peer"
	"github.com/quollhq/quoll/internal/request"
	"github.com/quollhq/quoll/internal/tally"
)

// ensemble is what a member counts as such. Of a server that is alone nothing is.
func ensemble(h Host) *peer.Metrics {
	if m := h.Ensemble(); m != nil {
		return m
	}
	return new(peer.Metrics)
}

// batches are the writes that share a sync of the log.
func (s *scrape) batches() tally.SizesView {
	if s.n.Host.Ensemble() != nil {
		return s.e.Synced.View()
	}
	return s.m.Batches.View()
}

// ensembleCounters are those of members.
func ensembleCounters() []metric {
	return []metric{
		count("diff_count", "Learners that this member has sent the transactions they lacked.", func(s *scrape) int64 { return s.e.Diffs.Load() }),
		count("snap_count", "Learners that this member has sent its whole state.", func(s *scrape) int64 { return s.e.States.Load() }),
		count("looking_count", "Elections that this member took part in.", func(s *scrape) int64 { return s.e.Elections.Load() }),
		count("learner_proposal_received_count", "Proposals that this follower has received.", func(s *scrape) int64 { return s.e.ProposalsReceived.Load() }),
		count("learner_commit_received_count", "Commits that this learner has heard of.", func(s *scrape) int64 { return s.e.CommitsReceived.Load() }),
		count("request_commit_queued", "Committed transactions that this member of an ensemble had to apply.", func(s *scrape) int64 { return s.e.Commits.Load() }),
		count("revalidate_count", "Sessions that learners have asked this member about.", func(s *scrape) int64 { return s.e.Revalidations.Load() }),
	}
}

// durations and numbers are those that a member has counted.
func durations(of func(*peer.Metrics) *tally.Latency) func(*scrape) tally.LatencyView {
	return func(s *scrape) tally.LatencyView { return of(s.e).View() }
}

func numbers(of func(*peer.Metrics) *tally.Sizes) func(*scrape) summary {
	return func(s *scrape) summary { return sizesSummary(of(s.e).View()) }
}

// ensembleBasics and ensembleTimes are the summaries of members.
func ensembleBasics() []metric {
	return []metric{
		times(basic, "leader_unavailable_time", "Time without a leader until this member led, in milliseconds.", durations(func(m *peer.Metrics) *tally.Latency { return &m.LeaderUnavailable })),
		times(basic, "unavailable_time", "Time in which this member had no leader, in milliseconds.", durations(func(m *peer.Metrics) *tally.Latency { return &m.Unavailable })),
		times(basic, "election_time", "Time of an election, in milliseconds.", durations(func(m *peer.Metrics) *tally.Latency { return &m.ElectionTime })),
		times(basic, "follower_sync_time", "Time to bring this follower in line with its leader, in milliseconds.", durations(func(m *peer.Metrics) *tally.Latency { return &m.FollowerSync })),
		times(basic, "observer_sync_time", "Time to bring this observer in line with its leader, in milliseconds.", durations(func(m *peer.Metrics) *tally.Latency { return &m.ObserverSync })),
		sizes("inflight_diff_count", "Learners that were being sent transactions, whenever one began or ended.", numbers(func(m *peer.Metrics) *tally.Sizes { return &m.DiffsAtATime })),
		sizes("inflight_snap_count", "Learners that were being sent the state, whenever one began or ended.", numbers(func(m *peer.Metrics) *tally.Sizes { return &m.StatesAtATime })),
	}
}

func ensembleTimes() []metric {
	const behind = ", in milliseconds since the leader made it."
	return []metric{
		times(advanced, "proposal_latency", "When a proposal has come to this follower"+behind, durations(func(m *peer.Metrics) *tally.Latency { return &m.ProposalAge })),
		times(advanced, "proposal_ack_creation_latency", "When a transaction is on this member's disk"+behind, durations(func(m *peer.Metrics) *tally.Latency { return &m.AckAge })),
		times(advanced, "quorum_ack_latency", "When this leader knows a transaction to be on a quorum's disks"+behind, durations(func(m *peer.Metrics) *tally.Latency { return &m.QuorumAge })),
		times(advanced, "commit_propagation_latency", "When this learner has heard of a transaction's commit"+behind, durations(func(m *peer.Metrics) *tally.Latency { return &m.CommitAge })),
		times(advanced, "propagation_latency", "When a transaction is applied here"+behind, func(s *scrape) tally.LatencyView { return s.m.Propagation.View() }),
	}
}

// seatGauges are those of a member that serves.
func (s *scrape) seatGauges() []metric {
	if s.seat == nil {
		return nil
	}
	voters := int64(0)
	for _, m := range s.seat.Membership.Members {
		if m.Role == config.Participant {
			voters++
		}
	}
	return []metric{num("quorum_size", "Members with a vote.", func(*scrape) int64 { return voters })}
}

// leaderGauges are those of a leader.
func (s *scrape) leaderGauges() []metric {
	last, shortest, longest := s.e.ProposalSizes()
	f := &s.feed
	return []metric{
		num("pending_syncs", "Syncs of learners that have no answer so far.", func(*scrape) int64 { return int64(f.PendingSyncs) }),
		num("leader_uptime", "Milliseconds since this member leads.", func(*scrape) int64 { return f.Leading.Milliseconds() }),
		num("last_proposal_size", "Length of the last proposal in bytes.", func(*scrape) int64 { return last }),
		num("max_proposal_size", "Length of the longest proposal of this term in bytes.", func(*scrape) int64 { return longest }),
		num("min_proposal_size", "Length of the shortest proposal of this term in bytes.", func(*scrape) int64 { return shortest }),
	}
}

// peerState is what a member that serves does, in Apache's words.
func (s *Seat) peerState() string { return strings.ToLower(s.State) + " - " + s.Phase }

// summarySet is a summary for each key.
type summarySet struct {
	metric // its name, and its values by summaries below
	of     map[string]metric
}

// keys are those that there is something of, in order.
func (set *summarySet) keys() []string { return slices.Sorted(maps.Keys(set.of)) }

// sets are those summaries that there is one of for each key.
func (s *scrape) sets() []summarySet {
	if s.n == nil {
		return nil
	}
	list := []summarySet{
		s.namespaces("read_per_namespace", "Bytes of paths, data and stats that were read below a top-level znode.", func(ns *request.Namespace) *tally.Sizes { return &ns.Reads }),
		s.namespaces("write_per_namespace", "Bytes of paths and data that were written below a top-level znode.", func(ns *request.Namespace) *tally.Sizes { return &ns.Writes }),
	}
	acks := summarySet{times(advanced, "ack_latency", "When this leader knows the last transaction of a batch to be on a voter's disk, in milliseconds since it was made.", nil), map[string]metric{}}
	for sid, ages := range s.e.AckAges() {
		m := acks.metric
		m.view = func(*scrape) tally.LatencyView { return ages.View() }
		acks.of[strconv.FormatInt(sid, 10)] = m
	}
	return append(list, acks)
}

func (s *scrape) namespaces(name, help string, of func(*request.Namespace) *tally.Sizes) summarySet {
	set := summarySet{sizes(name, help, nil), map[string]metric{}}
	for key, ns := range s.spaces {
		v := of(ns).View()
		if v.Count == 0 || !utf8.ValidString(key) { // Prometheus takes no other label
			continue
		}
		m := set.metric
		m.sum = func(*scrape) summary { return sizesSummary(v) }
		set.of[key] = m
	}
	return set
}
