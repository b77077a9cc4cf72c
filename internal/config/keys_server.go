package config

import (
	"slices"
	"time"
)

// serverKeys is the table of a server's keys.
func serverKeys() []Key {
	return slices.Concat(
		basicKeys(), sessionKeys(), listenKeys(), storageKeys(), limitKeys(), throttleKeys(), treeKeys(),
		authKeys(), saslKeys(), tlsKeys("TLS of clients", "ssl.", tlsOf), adminKeys(), metricsKeys(),
		ensembleKeys(), leaderKeys(), tlsKeys("TLS between servers", "ssl.quorum.", peerTLSOf), peerSASLKeys(),
		notApplicableKeys(),
	)
}

func basicKeys() []Key {
	return group("Basics",
		key("tickTime", integer(1, maxInt32), "3000", "Milliseconds of a tick, the unit of initLimit, syncLimit and of the default session time-outs.",
			func(c *Config) *int { return &c.tickMillis }, fromFile),
		key("dataDir", path(), "", "Directory of snapshots and of the file myid. Needed in zoo.cfg; without any file it is ./quoll-data.",
			func(c *Config) *string { return &c.Data.Dir }, fromFile),
		key("dataLogDir", path(), "", "Directory of the transaction logs; dataDir when not set.",
			func(c *Config) *string { return &c.Data.LogDir }, fromFile),
		key("datadir.autocreate", boolean(), "true", "Make missing data directories.",
			func(c *Config) *bool { return &c.Data.AutoCreate }),
		key("db.autocreate", boolean(), "true", "With false, a member that has no data has no vote until it has the leader's state, unless a file named initialize lies in its log directory, which the start removes. Nothing to a server that is alone.",
			func(c *Config) *bool { return &c.Data.DBAutoCreate }),
		key("log.level", choice("debug", "info", "warn", "error"), "info", "The least level of the server's own log.",
			func(c *Config) *string { return &c.Log.Level }, own),
		key("log.format", choice("text", "json"), "text", "How a line of the server's own log is written.",
			func(c *Config) *string { return &c.Log.Format }, own),
		key("audit.enable", boolean(), "false", "Write the audit log.", func(c *Config) *bool { return &c.Audit }),
	)
}

func sessionKeys() []Key {
	return group("Sessions",
		key("minSessionTimeout", millis(-1), "-1", "The least session time-out in milliseconds; -1 is 2 ticks.",
			func(c *Config) *time.Duration { return &c.Session.MinTimeout }, fromFile),
		key("maxSessionTimeout", millis(-1), "-1", "The greatest session time-out in milliseconds; -1 is 20 ticks.",
			func(c *Config) *time.Duration { return &c.Session.MaxTimeout }, fromFile),
		key("localSessionsEnabled", boolean(), "false", "Sessions that live on one server until they need more.",
			func(c *Config) *bool { return &c.Session.Local }, fromFile),
		key("localSessionsUpgradingEnabled", boolean(), "false", "Make a local session global when it creates an ephemeral node.",
			func(c *Config) *bool { return &c.Session.LocalUpgrading }, fromFile),
		key("closeSessionTxn.enabled", boolean(), "true", "Log the nodes that the end of a session removes.",
			func(c *Config) *bool { return &c.Session.CloseTxn }),
	)
}

func listenKeys() []Key {
	return group("Client connections",
		key("clientPort", port(), "", "Port for clients in plain text; 2181 without any file.",
			func(c *Config) *int { return &c.Listen.Client.Port }, fromFile),
		key("clientPortAddress", text(), "", "Address that clientPort listens on; all when not set.",
			func(c *Config) *string { return &c.Listen.Client.Host }, fromFile),
		key("secureClientPort", port(), "", "Port for clients with TLS.",
			func(c *Config) *int { return &c.Listen.Secure.Port }, fromFile),
		key("secureClientPortAddress", text(), "", "Address that secureClientPort listens on; all when not set.",
			func(c *Config) *string { return &c.Listen.Secure.Host }, fromFile),
		key("clientPortListenBacklog", integer(anyNegative, maxInt32), "-1", "Connections that wait to be accepted; -1 leaves it to the system.",
			func(c *Config) *int { return &c.Listen.Backlog }, fromFile),
		key("client.portUnification", boolean(), "false", "Let clientPort speak TLS and plain text.",
			func(c *Config) *bool { return &c.Listen.Unified }),
		key("clientTcpKeepAlive", boolean(), "false", "TCP keep-alive on clients' connections.",
			func(c *Config) *bool { return &c.Listen.KeepAlive }),
		key("nio.sessionlessCnxnTimeout", millis(1), "10000", "Milliseconds after which a connection without a session is closed.",
			func(c *Config) *time.Duration { return &c.Listen.SessionlessTimeout }),
		key("netty.server.outstandingHandshake.limit", integer(anyNegative, maxInt32), "-1", "TLS handshakes at a time; 0 or less for any number.",
			func(c *Config) *int { return &c.Listen.HandshakeLimit }),
		key("4lw.commands.whitelist", list(), "srvr", "Four-letter words that are answered, separated by commas; * for all.",
			func(c *Config) *[]string { return &c.Listen.FourLetterWords }, mayBeEmpty),
	)
}

func storageKeys() []Key {
	return group("Storage",
		key("snapCount", integer(0, maxInt32), "400000", "Transactions between snapshots, at least 2. Apache's default is 100000.",
			func(c *Config) *int { return &c.Storage.SnapCount }),
		key("snapSizeLimitInKb", kilobytes(), "4194304", "Kilobytes of log between snapshots; 0 or less for no limit.",
			func(c *Config) *int64 { return &c.Storage.SnapSizeLimit }),
		key("preAllocSize", kilobytes(), "65536", "Kilobytes by which a log file grows; 0 or less for no preallocation.",
			func(c *Config) *int64 { return &c.Storage.PreAlloc }),
		key("txnLogSizeLimitInKb", kilobytes(), "-1", "Kilobytes after which a new log file begins; 0 or less for no limit.",
			func(c *Config) *int64 { return &c.Storage.LogSizeLimit }),
		key("forceSync", yesNo(), "yes", "Make writes durable before they are answered. With no, a power failure loses what was acknowledged.",
			func(c *Config) *bool { return &c.Storage.ForceSync }),
		key("fsync.warningthresholdms", millis(0), "1000", "Milliseconds after which a slow fsync is warned about.",
			func(c *Config) *time.Duration { return &c.Storage.FsyncWarning }, alsoRaw),
		key("snapshot.compression.method", choice("", "gz", "snappy"), "", "How snapshots are compressed.",
			func(c *Config) *string { return &c.Storage.Compression }, mayBeEmpty),
		key("snapshot.trust.empty", boolean(), "false", "Start from logs when there is no snapshot at all.",
			func(c *Config) *bool { return &c.Storage.TrustEmpty }),
		key("serializeLastProcessedZxid.enabled", boolean(), "true", "Write the last zxid at the end of snapshots.",
			func(c *Config) *bool { return &c.Storage.LastProcessedZxid }),
		key("digest.enabled", boolean(), "true", "Compute, store and check the digest of the tree.",
			func(c *Config) *bool { return &c.Storage.Digest }),
		key("jute.maxbuffer", byteCount(64, maxInt32), "1048575", "Bytes of one request at most.",
			func(c *Config) *int64 { return &c.Storage.JuteMaxBuffer }, raw),
		key("jute.maxbuffer.extrasize", byteCount(-1, maxInt32), "-1", "Bytes that a record on disk may be larger by; -1 is jute.maxbuffer, 1024 at least.",
			func(c *Config) *int64 { return &c.Storage.JuteExtra }),
		key("autopurge.snapRetainCount", integer(0, maxInt32), "3", "Snapshots that a purge keeps, at least 3.",
			func(c *Config) *int { return &c.Purge.Retain }, fromFile),
		key("autopurge.purgeInterval", purgeInterval(), "0", "Time between purges: hours, or a number with ms, s, m, h, d; 0 for never.",
			func(c *Config) *time.Duration { return &c.Purge.Interval }, fromFile),
	)
}

func limitKeys() []Key {
	return group("Limits",
		key("maxClientCnxns", integer(anyNegative, maxInt32), "60", "Connections from one address; 0 or less for any number.",
			func(c *Config) *int { return &c.Limits.ClientConnections }, fromFile),
		key("maxCnxns", integer(anyNegative, maxInt32), "0", "Connections in all; 0 or less for any number.",
			func(c *Config) *int { return &c.Limits.Connections }),
		key("globalOutstandingLimit", integer(1, maxInt32), "1000", "Requests in the server before connections that have some are not read.",
			func(c *Config) *int { return &c.Limits.Outstanding }),
		key("largeRequestMaxBytes", byteCount(0, maxInt32), "104857600", "Bytes of large requests in the server at most.",
			func(c *Config) *int64 { return &c.Limits.LargeRequestBytes }),
		key("largeRequestThreshold", byteCount(anyNegative, maxInt32), "-1", "Bytes from which a request is large; 0 or less for none.",
			func(c *Config) *int64 { return &c.Limits.LargeRequestThreshold }),
		key("enforceQuota", boolean(), "false", "Refuse what is over a hard quota.",
			func(c *Config) *bool { return &c.Limits.EnforceQuota }),
	)
}

func throttleKeys() []Key {
	return slices.Concat(connectionThrottleKeys(), requestThrottleKeys())
}

func connectionThrottleKeys() []Key {
	t := func(c *Config) *ConnectionThrottle { return &c.Throttle.Connection }
	return group("Throttling",
		key("connection_throttle_tokens", integer(anyNegative, maxInt32), "0", "Tokens in the bucket of new connections; 0 or less for no throttle.",
			func(c *Config) *int { return &t(c).Tokens }),
		key("connection_throttle_fill_time", millis(1), "1", "Milliseconds between fillings of the bucket.",
			func(c *Config) *time.Duration { return &t(c).FillTime }),
		key("connection_throttle_fill_count", integer(0, maxInt32), "1", "Tokens of one filling.",
			func(c *Config) *int { return &t(c).FillCount }),
		key("connection_throttle_freeze_time", millis(-1), "-1", "Milliseconds between changes of the dropping probability; -1 for no dropping by chance.",
			func(c *Config) *time.Duration { return &t(c).FreezeTime }),
		key("connection_throttle_drop_increase", float(0, 1), "0.02", "By how much the dropping probability grows.",
			func(c *Config) *float64 { return &t(c).DropIncrease }),
		key("connection_throttle_drop_decrease", float(0, 1), "0.002", "By how much the dropping probability falls.",
			func(c *Config) *float64 { return &t(c).DropDecrease }),
		key("connection_throttle_decrease_ratio", float(0, 1), "0", "Part of the bucket that must be full for the probability to fall.",
			func(c *Config) *float64 { return &t(c).DecreaseRatio }),
		key("connection_throttle_weight_enabled", boolean(), "false", "Let connections cost tokens by their kind.",
			func(c *Config) *bool { return &t(c).Weighted }),
		key("connection_throttle_global_session_weight", integer(0, maxInt32), "3", "Tokens of a new global session.",
			func(c *Config) *int { return &t(c).GlobalWeight }),
		key("connection_throttle_renew_session_weight", integer(0, maxInt32), "2", "Tokens of a session that comes back.",
			func(c *Config) *int { return &t(c).RenewWeight }),
		key("connection_throttle_local_session_weight", integer(0, maxInt32), "1", "Tokens of a local session.",
			func(c *Config) *int { return &t(c).LocalWeight }),
	)
}

func requestThrottleKeys() []Key {
	t := func(c *Config) *RequestThrottle { return &c.Throttle.Request }
	return group("Throttling",
		key("request_throttle_max_requests", integer(anyNegative, maxInt32), "0", "Requests in the pipeline at most; 0 or less for no throttle.",
			func(c *Config) *int { return &t(c).Max }),
		key("request_throttle_stall_time", millis(1), "100", "Milliseconds that a throttled request waits before it looks again.",
			func(c *Config) *time.Duration { return &t(c).Stall }),
		key("request_throttle_drop_stale", boolean(), "true", "Drop stale requests instead of running them.",
			func(c *Config) *bool { return &t(c).DropStale }),
		key("request_stale_latency_check", boolean(), "false", "A request older than its session's time-out is stale.",
			func(c *Config) *bool { return &t(c).StaleLatency }),
		key("request_stale_connection_check", boolean(), "true", "A request of a closed connection is stale.",
			func(c *Config) *bool { return &t(c).StaleConnection }),
		key("throttled_op_wait_time", millis(anyNegative), "0", "Milliseconds in the throttle after which a request is refused; 0 or less for never.",
			func(c *Config) *time.Duration { return &t(c).OpWait }),
	)
}

func treeKeys() []Key {
	return group("Znodes",
		key("extendedTypesEnabled", boolean(), "false", "Allow TTL nodes.", func(c *Config) *bool { return &c.Tree.ExtendedTypes }),
		key("emulate353TTLNodes", boolean(), "false", "Read TTL nodes as 3.5.3 wrote them.", func(c *Config) *bool { return &c.Tree.Emulate353 }),
		key("znode.container.checkIntervalMs", millis(1), "60000", "Milliseconds between looks for empty containers and old TTL nodes.",
			func(c *Config) *time.Duration { return &c.Containers.CheckInterval }, raw),
		key("znode.container.maxPerMinute", integer(1, maxInt32), "10000", "Containers and TTL nodes removed in a minute at most.",
			func(c *Config) *int { return &c.Containers.MaxPerMinute }, raw),
		key("znode.container.maxNeverUsedIntervalMs", millis(0), "0", "Milliseconds after which a container that never had a child is removed; 0 for never.",
			func(c *Config) *time.Duration { return &c.Containers.MaxNeverUsed }, raw),
	)
}
