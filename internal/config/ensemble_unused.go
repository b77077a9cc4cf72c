package config

import (
	"slices"
	"strings"
)

// leastCommitLog is how many transactions Apache's leader keeps at least.
const leastCommitLog = 500

// notInEnsemble are keys that a member of an ensemble reads and does not follow, by what happens in their place.
var notInEnsemble = map[string][]string{
	"observers are sent what is kept for all learners":                                {"observerMaster.sizeLimit"},
	"the quorum of two servers is both":                                               {"oraclePath"},
	"observers write logs and snapshots":                                              {"syncEnabled", "observer.syncEnabled"},
	"observers look for a leader at once":                                             {"observer.election.DelayMs", "observer.reconnectDelayMs"},
	"a new leader waits as long as initLimit says":                                    {"leader.maxTimeToWaitForEpoch"},
	"learners are sent what they lack, or the state if that is shorter":               {"forceSnapshotSync"},
	"a gap between two transactions is an error":                                      {"test.allowDiscontinuousProposals"},
	"the first transaction has the number 1":                                          {"testingonly.initialZxid"},
	"all addresses of a member are dialled at once":                                   {"multiAddress.reachabilityCheckEnabled", "multiAddress.reachabilityCheckTimeoutMs"},
	"members are known by the hosts of server.N, which should be the canonical names": {"kerberos.canonicalizeHostNames"},
	"one of every batch is measured":                                                  {"leader.ackLoggingFrequency"},
	"it has no meaning here": {"quorum.cnxn.threads.size", "leader.closeSocketAsync",
		"learner.closeSocketAsync", "learner.asyncSending", "follower.skipLearnerRequestToNextProcessor",
		"forward_learner_requests_to_commit_processor_disabled"},
}

// unused names the keys that are set and not followed, unless they say what happens anyway.
func (c *collector) unused() {
	reasons := make([]string, 0, len(notInEnsemble))
	for why := range notInEnsemble {
		reasons = append(reasons, why)
	}
	slices.Sort(reasons)
	for _, why := range reasons {
		for _, name := range notInEnsemble[why] {
			en, ok := c.entries[name]
			if k, _ := c.keys.find(name); ok && !strings.EqualFold(en.value, k.Default) {
				c.warn(en.origin, "%s=%s is not followed: %s", name, en.value, why)
			}
		}
	}
}

// notFollowed is why a member of an ensemble does not follow a key, "" for those that it follows.
func notFollowed(key string) string {
	for why, names := range notInEnsemble {
		if slices.Contains(names, key) {
			return why
		}
	}
	return ""
}
