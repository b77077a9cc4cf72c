package config

import "time"

func ensembleKeys() []Key {
	e := func(c *Config) *Ensemble { return &c.Ensemble }
	keys := []Key{
		family("server.N", serverWant, "A member: its addresses, its role and its client port.", addMember),
		family("group.N", "server ids separated by colons", "A group of members that counts as one in the quorum of groups.", addGroup),
		family("weight.N", "a whole number", "Weight of a member within its group.", addWeight),
		key("dynamicConfigFile", path(), "", "File with server.N, group.N and weight.N.", func(c *Config) *string { return &e(c).DynamicFile }),
		key("standaloneEnabled", boolean(), "true", "Let a single participant run alone.", func(c *Config) *bool { return &e(c).Standalone }),
		key("reconfigEnabled", boolean(), "false", "Allow reconfig.", func(c *Config) *bool { return &e(c).Reconfig }),
		key("peerType", choice("participant", "observer"), "participant", "Role of this server.", func(c *Config) *string { return &c.peerType }),
		key("initLimit", integer(0, maxInt32), "0", "Ticks that a learner may take to connect and to get the state.", func(c *Config) *int { return &e(c).InitLimit }),
		key("syncLimit", integer(0, maxInt32), "0", "Ticks that a learner may lag behind.", func(c *Config) *int { return &e(c).SyncLimit }),
		key("connectToLearnerMasterLimit", integer(0, maxInt32), "0", "Ticks that connecting to the leader may take; 0 is initLimit.", func(c *Config) *int { return &e(c).ConnectLimit }),
		key("electionAlg", integer(3, 3), "3", "Election algorithm; there is only 3.", func(c *Config) *int { return &e(c).Election.Algorithm }),
		key("quorumListenOnAllIPs", boolean(), "false", "Listen for servers on all addresses.", func(c *Config) *bool { return &e(c).ListenOnAllIPs }),
		key("syncEnabled", boolean(), "true", "Let an observer write logs and snapshots.", func(c *Config) *bool { return &e(c).SyncEnabled }),
		key("observerMasterPort", integer(0, 65535), "0", "Port where followers serve observers; 0 for none.", func(c *Config) *int { return &e(c).ObserverMasterPort }),
		key("oraclePath", path(), "", "File of the oracle that decides for two servers.", func(c *Config) *string { return &e(c).OraclePath }),
		key("sslQuorum", boolean(), "false", "TLS between servers.", func(c *Config) *bool { return &e(c).TLS.Enabled }),
		key("portUnification", boolean(), "false", "TLS and plain text between servers.", func(c *Config) *bool { return &e(c).TLS.Unified }),
		key("quorum.cnxn.threads.size", integer(0, maxInt32), "20", "Handshakes between servers at a time.", func(c *Config) *int { return &e(c).Election.Threads }),
		key("multiAddress.enabled", boolean(), "false", "Several addresses per server.", func(c *Config) *bool { return &e(c).Multi.Enabled }),
		key("multiAddress.reachabilityCheckEnabled", boolean(), "true", "Choose addresses by reachability.", func(c *Config) *bool { return &e(c).Multi.CheckReachability }),
		key("multiAddress.reachabilityCheckTimeoutMs", millis(1), "1000", "Milliseconds to wait for an address.", func(c *Config) *time.Duration { return &e(c).Multi.ReachabilityTimeout }),
	}
	for i := range keys {
		keys[i].FromFile = true
	}
	keys = append(keys, electionKeys()...)
	return group("Ensemble", keys...)
}

func electionKeys() []Key {
	e := func(c *Config) *Election { return &c.Ensemble.Election }
	return []Key{
		key("readonlymode.enabled", boolean(), "false", "Serve reads to clients that ask for it while there is no quorum.", func(c *Config) *bool { return &c.Ensemble.ReadOnly }, raw),
		key("linearizableReads", boolean(), "false", "Answer every read as if a sync went before it: a quorum confirms that what is read is present.", func(c *Config) *bool { return &c.Ensemble.LinearizableReads }, own),
		key("cnxTimeout", millis(1), "5000", "Milliseconds to connect for an election.", func(c *Config) *time.Duration { return &e(c).ConnectTimeout }),
		key("quorumCnxnTimeoutMs", millis(-1), "-1", "Milliseconds that what was sent on an election connection may stay unacknowledged; -1 is syncLimit.", func(c *Config) *time.Duration { return &e(c).IdleTimeout }),
		key("electionPortBindRetry", integer(0, maxInt32), "3", "Tries to listen on the election port; 0 for ever.", func(c *Config) *int { return &e(c).BindRetry }),
		key("tcpKeepAlive", boolean(), "false", "TCP keep-alive on election connections.", func(c *Config) *bool { return &e(c).KeepAlive }),
		key("fastleader.minNotificationInterval", millis(1), "200", "Milliseconds until a vote is said again, at first.", func(c *Config) *time.Duration { return &e(c).MinNotification }),
		key("fastleader.maxNotificationInterval", millis(1), "60000", "Milliseconds until a vote is said again, at most.", func(c *Config) *time.Duration { return &e(c).MaxNotification }),
		key("observer.election.DelayMs", millis(0), "200", "Milliseconds an observer waits before it looks for a leader.", func(c *Config) *time.Duration { return &e(c).ObserverDelay }),
	}
}

func leaderKeys() []Key {
	l := func(c *Config) *Leader { return &c.Ensemble.Leader }
	f := func(c *Config) *Learner { return &c.Ensemble.Learner }
	return group("Leader and learners",
		key("leaderServes", yesNo(), "yes", "Let the leader serve clients.", func(c *Config) *bool { return &l(c).Serves }),
		key("leader.maxConcurrentSnapSyncs", integer(1, maxInt32), "10", "Snapshots sent to learners at a time.", func(c *Config) *int { return &l(c).MaxSnapSyncs }),
		key("leader.maxConcurrentDiffSyncs", integer(1, maxInt32), "100", "Logs sent to learners at a time.", func(c *Config) *int { return &l(c).MaxDiffSyncs }),
		key("leader.maxTimeToWaitForEpoch", millis(-1), "-1", "Milliseconds a new leader waits for its followers; -1 is initLimit.", func(c *Config) *time.Duration { return &l(c).MaxTimeToWaitForEpoch }),
		key("leader.ackLoggingFrequency", integer(1, maxInt32), "1000", "Acknowledgements between two that are measured.", func(c *Config) *int { return &l(c).AckLogEvery }),
		key("leader.closeSocketAsync", boolean(), "false", "Close learners' sockets aside.", func(c *Config) *bool { return &l(c).CloseAsync }, alsoRaw),
		key("leader.nodelay", boolean(), "true", "TCP_NODELAY towards learners.", func(c *Config) *bool { return &l(c).NoDelay }, raw),
		key("forceSnapshotSync", boolean(), "false", "Always send a snapshot to learners; for tests.", func(c *Config) *bool { return &l(c).ForceSnapshotSync }),
		key("observerMaster.sizeLimit", byteCount(0, maxInt32), "33554432", "Bytes of recent proposals a follower keeps for observers.", func(c *Config) *int64 { return &l(c).ObserverMasterSize }),
		key("forward_learner_requests_to_commit_processor_disabled", boolean(), "false", "Keep learners' requests out of the leader's own queue.", func(c *Config) *bool { return &l(c).ForwardLearnersDisabled }),
		key("test.allowDiscontinuousProposals", boolean(), "false", "Accept gaps between zxids; for tests.", func(c *Config) *bool { return &l(c).DiscontinuousProposals }),
		key("testingonly.initialZxid", text(), "", "The first zxid; for tests.", func(c *Config) *string { return &l(c).TestingInitialZxid }),
		key("commitLogCount", integer(0, maxInt32), "500", "Transactions kept in memory for learners.", func(c *Config) *int { return &c.Ensemble.CommitLogCount }),
		key("snapshotSizeFactor", float(-1e9, 1), "0.33", "Part of a snapshot's size that log may have to be sent instead; negative for never.", func(c *Config) *float64 { return &c.Ensemble.SnapshotSizeFactor }),
		key("learner.asyncSending", boolean(), "false", "Send to the leader aside.", func(c *Config) *bool { return &f(c).AsyncSending }, alsoRaw),
		key("learner.closeSocketAsync", boolean(), "false", "Close the leader's socket aside.", func(c *Config) *bool { return &f(c).CloseAsync }, alsoRaw),
		key("follower.nodelay", boolean(), "true", "TCP_NODELAY towards the leader.", func(c *Config) *bool { return &f(c).NoDelay }, raw),
		key("follower.skipLearnerRequestToNextProcessor", boolean(), "false", "Keep observers' requests out of the follower's own queue.", func(c *Config) *bool { return &f(c).SkipRequests }),
		key("leaderConnectDelayDuringRetryMs", millis(0), "100", "Milliseconds between tries to connect to the leader.", func(c *Config) *time.Duration { return &f(c).ConnectRetryDelay }),
		key("observer.reconnectDelayMs", millis(0), "0", "Milliseconds an observer waits before it connects again.", func(c *Config) *time.Duration { return &f(c).ObserverReconnectDelay }),
		key("observer.syncEnabled", boolean(), "true", "As syncEnabled, by the property's name.", func(c *Config) *bool { return &c.Ensemble.SyncEnabled }),
	)
}
