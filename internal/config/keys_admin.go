package config

import (
	"slices"
	"strings"
	"time"

	"github.com/quollhq/quoll/internal/tlsconf"
)

func adminKeys() []Key {
	return group("Admin server",
		key("admin.enableServer", boolean(), "true", "The HTTP server of commands, health and metrics.", func(c *Config) *bool { return &c.Admin.Enabled }),
		key("admin.serverAddress", text(), "0.0.0.0", "Address it listens on.", func(c *Config) *string { return &c.Admin.Address.Host }),
		key("admin.serverPort", port(), "8080", "Port it listens on.", func(c *Config) *int { return &c.Admin.Address.Port }),
		key("admin.commandURL", text(), "/commands", "Path the commands are under.", func(c *Config) *string { return &c.Admin.CommandURL }),
		key("admin.idleTimeout", millis(0), "30000", "Milliseconds after which an idle connection is closed.", func(c *Config) *time.Duration { return &c.Admin.IdleTimeout }),
		key("admin.portUnification", boolean(), "false", "Speak TLS beside plain text on the port, with the stores of ssl.quorum.", func(c *Config) *bool { return &c.Admin.Unified }),
		key("admin.forceHttps", boolean(), "false", "Speak TLS only, with the stores of ssl.quorum.", func(c *Config) *bool { return &c.Admin.ForceHTTPS }),
		key("admin.needClientAuth", boolean(), "false", "Want certificates of HTTPS clients.", func(c *Config) *bool { return &c.Admin.NeedClientAuth }),
		key("admin.snapshot.enabled", boolean(), "true", "The command snapshot.", func(c *Config) *bool { return &c.Admin.Snapshot }),
		key("admin.restore.enabled", boolean(), "true", "The command restore.", func(c *Config) *bool { return &c.Admin.Restore }),
		key("admin.rateLimiterIntervalInMS", millis(0), "300000", "Milliseconds between two snapshots or restores by command.", func(c *Config) *time.Duration { return &c.Admin.RateInterval }),
	)
}

const (
	defaultMetricsClass    = "org.apache.zookeeper.metrics.impl.DefaultMetricsProvider"
	nullMetricsClass       = "org.apache.zookeeper.metrics.impl.NullMetricsProvider"
	prometheusMetricsClass = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider"
)

func metricsKeys() []Key {
	const p = "metricsProvider."
	m := func(c *Config) *Metrics { return &c.Metrics }
	st := func(c *Config) *tlsconf.Store { return &m(c).TLS.KeyStore }
	tr := func(c *Config) *tlsconf.Store { return &m(c).TLS.TrustStore }
	keys := []Key{
		key(p+"className", choice(defaultMetricsClass, nullMetricsClass, prometheusMetricsClass), defaultMetricsClass,
			"With Prometheus's class metrics are served on a port of their own, too; the admin server has them always.", func(c *Config) *string { return &m(c).Class }),
		key(p+"exportJvmInfo", boolean(), "true", "Serve the process's memory, collections and goroutines also under the names that Apache has for its JVM's.", func(c *Config) *bool { return &m(c).Runtime }),
		key(p+"httpHost", text(), "0.0.0.0", "Address of the metrics' ports.", func(c *Config) *string { return &m(c).HTTP.Host }),
		key(p+"httpPort", integer(-1, 65535), "7000", "Port of the metrics by HTTP; -1 for none.", func(c *Config) *int { return &m(c).HTTP.Port }),
		key(p+"httpsPort", integer(-1, 65535), "-1", "Port of the metrics by HTTPS; -1 for none.", func(c *Config) *int { return &m(c).HTTPS.Port }),
		key(p+"ssl.keyStore.location", path(), "", "Path of the key store for HTTPS.", func(c *Config) *string { return &st(c).Location }),
		key(p+"ssl.keyStore.password", secret(), "", "Password of the key store.", func(c *Config) *string { return &st(c).Password }, mayBeEmpty),
		key(p+"ssl.keyStore.type", choice("JKS", "PEM", "PKCS12", "BCFKS"), "", "Type of the key store; by its suffix when not set.", func(c *Config) *string { return &st(c).Type }),
		key(p+"ssl.trustStore.location", path(), "", "Path of the trust store for HTTPS.", func(c *Config) *string { return &tr(c).Location }),
		key(p+"ssl.trustStore.password", secret(), "", "Password of the trust store.", func(c *Config) *string { return &tr(c).Password }, mayBeEmpty),
		key(p+"ssl.trustStore.type", choice("JKS", "PEM", "PKCS12", "BCFKS"), "", "Type of the trust store; by its suffix when not set.", func(c *Config) *string { return &tr(c).Type }),
		key(p+"ssl.enabledProtocols", list(), "", "TLS versions, separated by commas.", func(c *Config) *[]string { return &m(c).TLS.EnabledProtocols }),
		key(p+"ssl.ciphersuites", list(), "", "Cipher suites, separated by commas.", func(c *Config) *[]string { return &m(c).TLS.CipherSuites }),
		key(p+"ssl.need.client.auth", boolean(), "true", "Refuse HTTPS clients without a certificate.", func(c *Config) *bool { return &c.metricsNeedCert }),
		key(p+"ssl.want.client.auth", boolean(), "true", "Ask HTTPS clients for a certificate.", func(c *Config) *bool { return &c.metricsWantCert }),
	}
	for i := range keys {
		keys[i].FromFile = true
	}
	return group("Metrics", keys...)
}

// notApplicableKeys are known and have nothing to act on here.
func notApplicableKeys() []Key {
	groups := [][]Key{
		unused("connections are served by Go's scheduler; there are no selector or worker threads to size",
			"nio.numSelectorThreads", "nio.numWorkerThreads", "nio.directBufferBytes", "nio.shutdownTimeout",
			"netty.advancedFlowControl.enabled", "serverCnxnFactory", "intBufferStartingSizeBytes"),
		unused("reads run beside the pipeline and commits are applied in batches; there is no commit processor to size",
			"commitProcessor.numWorkerThreads", "commitProcessor.maxReadBatchSize", "commitProcessor.maxCommitBatchSize", "commitProcessor.shutdownTimeout"),
		unused("all writes that wait for the disk share the next sync; the disk sets the pace and nothing is held back",
			"flushDelay", "maxWriteQueuePollTime", "maxBatchSize"),
		unused("connections are let in once the server serves, not before", "netty.server.earlyDropSecureConnectionHandshakes"),
		unused("a server that stops drops throttled requests at once, and their connections with them", "request_throttler.shutdownTimeout"),
		unused("every write is checked before it is logged, by the server that has the session",
			"enableEagerACLCheck"),
		unused("requests are counted by operation, not by path; the audit log tells who writes what",
			"pathStats.enabled", "pathStats.slotCapacity", "pathStats.slotDuration", "pathStats.maxDepth", "pathStats.sampleRate",
			"pathStats.initialDelay", "pathStats.delay", "pathStats.topPathMax"),
		unused("replies are encoded straight from the tree; there is no cache of replies",
			"maxResponseCacheSize", "maxGetChildrenResponseCacheSize"),
		unused("one compact watch table serves both purposes and cleans up at once",
			"watchManagerName", "watcherCleanThreadsNum", "watcherCleanThreshold", "watcherCleanIntervalInSeconds", "maxInProcessingDeadWatchers", "bitHashCacheSize"),
		unused("there is no JVM that pauses", "jvm.pause.monitor", "jvm.pause.warn-threshold.ms", "jvm.pause.info-threshold.ms", "jvm.pause.sleep.time.ms"),
		unused("there is no JMX; use the admin server's commands and /metrics", "jmx.log4j.disable", "jmx.log4j.mbean"),
		unused("Java classes cannot be loaded", "audit.impl.class", "ssl.context.supplier.class", "ssl.quorum.context.supplier.class"),
		unused("TLS is Go's own", "ssl.sslProvider"),
		unused("tickets are renewed inside the process", "kinit", "kerberos.minReLoginTimeMs"),
		unused("the log goes to standard error; see log.level and log.format", "log.dir", "log.file", "log.threshold", "root.logger", "console.threshold", "log.maxfilesize", "log.maxbackupindex", "tracelog.dir", "tracelog.file"),
		unused("it is a test tool of Apache", "controllerPort", "messageTracker.BufferSize", "messageTracker.Enabled"),
		unused("metrics are read at the scrape; there are no workers or queues for them",
			"metricsProvider.numWorkerThreads", "metricsProvider.maxQueueSize", "metricsProvider.workerShutdownTimeoutMs",
			"metricsProvider.prometheusMetricsSummaryRotateIntervalSeconds"),
		unused("HTTP/1.1 and HTTP/2 are both spoken", "admin.httpVersion", "metricsProvider.httpVersion"),
		unused("it is a client's setting", "request.timeout", "disableAutoWatchReset", "clientCnxnSocket", "client.secure", "sasl.client",
			"sasl.client.username", "sasl.client.canonicalize.hostname", "sasl.client.allowReverseDnsLookup", "sasl.clientconfig",
			"shuffleDnsResponse", "server.principal", "hostProvider.dnsSrvRefreshIntervalSeconds"),
		{{Name: "metricsProvider.X", Kind: KindString, NotApplicable: "the metrics provider is built in", empty: true}},
		misnamed("connectionMaxTokens", "connection_throttle_tokens"),
		misnamed("connectionTokenFillTime", "connection_throttle_fill_time"),
		misnamed("connectionTokenFillCount", "connection_throttle_fill_count"),
		misnamed("connectionFreezeTime", "connection_throttle_freeze_time"),
		misnamed("connectionDropIncrease", "connection_throttle_drop_increase"),
		misnamed("connectionDropDecrease", "connection_throttle_drop_decrease"),
		misnamed("connectionDecreaseRatio", "connection_throttle_decrease_ratio"),
		misnamed("requestThrottleLimit", "request_throttle_max_requests"),
		misnamed("requestThrottleStallTime", "request_throttle_stall_time"),
		misnamed("requestThrottleDropStale", "request_throttle_drop_stale"),
		misnamed("requestStaleLatencyCheck", "request_stale_latency_check"),
		misnamed("requestStaleConnectionCheck", "request_stale_connection_check"),
		misnamed("throttledOpWaitTime", "throttled_op_wait_time"),
		misnamed("outstandingHandshake.limit", "netty.server.outstandingHandshake.limit"),
		misnamed("advancedFlowControlEnabled", "netty.advancedFlowControl.enabled"),
		misnamed("maxConcurrentSnapSyncs", "leader.maxConcurrentSnapSyncs"),
		misnamed("maxConcurrentDiffSyncs", "leader.maxConcurrentDiffSyncs"),
		misnamed("maxTimeToWaitForEpoch", "leader.maxTimeToWaitForEpoch"),
	}
	keys := group("Not applicable", slices.Concat(groups...)...)
	for i := range keys {
		k := &keys[i]
		k.FromFile = strings.HasPrefix(k.Name, "metricsProvider.") || strings.HasPrefix(k.Name, "jvm.pause.")
	}
	return keys
}

// misnamed is a name that Apache's documentation uses and its code does not.
func misnamed(name, right string) []Key {
	return unused("Apache's documentation calls it so, but the key is "+right, name)
}
