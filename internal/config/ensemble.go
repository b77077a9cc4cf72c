package config

import "time"

// Ensemble is what servers tell each other by. A single server reads it to
// know that it is one.
type Ensemble struct {
	Membership Membership
	// Next is the membership of the .dynamic.next file, nil without one.
	Next *Membership
	// DynamicFile is the path of the dynamic configuration, "" if members
	// stand in the main file.
	DynamicFile string
	// Standalone lets one participant run alone, without an ensemble.
	Standalone bool
	// Reconfig allows the reconfig operation.
	Reconfig bool
	// ReadOnly is read-only mode.
	ReadOnly bool
	// LinearizableReads makes every read show what is present.
	LinearizableReads bool
	// Observer is this server's role by its own word.
	Observer bool

	// InitLimit, SyncLimit and ConnectLimit are in ticks, 0 when not set.
	InitLimit, SyncLimit, ConnectLimit int
	ListenOnAllIPs                     bool
	// SyncEnabled lets observers write logs.
	SyncEnabled        bool
	ObserverMasterPort int
	OraclePath         string

	Election Election
	Leader   Leader
	Learner  Learner
	Multi    MultiAddress
	SASL     PeerSASL
	TLS      PeerTLSMode

	// CommitLogCount is how many transactions stay in memory for learners.
	CommitLogCount int
	// SnapshotSizeFactor bounds log sent instead of a snapshot, negative for never.
	SnapshotSizeFactor float64
}

// Election is about port 3888 and its protocol.
type Election struct {
	Algorithm                        int
	ConnectTimeout                   time.Duration
	IdleTimeout                      time.Duration
	BindRetry                        int
	KeepAlive                        bool
	Threads                          int
	MinNotification, MaxNotification time.Duration
	ObserverDelay                    time.Duration
}

// Leader is about leading.
type Leader struct {
	Serves                  bool
	MaxSnapSyncs            int
	MaxDiffSyncs            int
	MaxTimeToWaitForEpoch   time.Duration
	AckLogEvery             int
	CloseAsync, NoDelay     bool
	ForceSnapshotSync       bool
	ObserverMasterSize      int64
	ForwardLearnersDisabled bool
	DiscontinuousProposals  bool
	TestingInitialZxid      string
}

// Learner is about following and observing.
type Learner struct {
	AsyncSending, CloseAsync, NoDelay, SkipRequests bool
	ConnectRetryDelay                               time.Duration
	ObserverReconnectDelay                          time.Duration
}

// MultiAddress is several addresses per server.
type MultiAddress struct {
	Enabled, CheckReachability bool
	ReachabilityTimeout        time.Duration
}

// PeerSASL is SASL between servers.
type PeerSASL struct {
	Enabled, ServerRequired, LearnerRequired bool
	ServicePrincipal                         string
	LearnerSection, ServerSection            string
}

// PeerTLSMode is how TLS is used between servers.
type PeerTLSMode struct {
	Enabled, Unified bool
}
