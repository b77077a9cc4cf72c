package config

import (
	"fmt"
	"path/filepath"
)

// versionDir is the directory below dataDir and dataLogDir that holds the files.
const versionDir = "version-2"

// Live is what the texts below need from the running server.
type Live struct {
	// ClientPort and SecurePort are the ports in use, -1 for none.
	ClientPort, SecurePort int
	// DataSize and LogSize are the bytes of snapshots and logs.
	DataSize, LogSize int64
	// MaxClientCnxns is the bound in force.
	MaxClientCnxns int
}

// AppendConf appends what the four-letter word conf answers. The lines of an
// ensemble's member come after those of a single server.
func (c *Config) AppendConf(b []byte, live Live) []byte {
	b = fmt.Appendf(b, "clientPort=%d\nsecureClientPort=%d\n", live.ClientPort, live.SecurePort)
	b = fmt.Appendf(b, "dataDir=%s\ndataDirSize=%d\n", c.snapshotDir(), live.DataSize)
	b = fmt.Appendf(b, "dataLogDir=%s\ndataLogSize=%d\n", c.logDir(), live.LogSize)
	b = fmt.Appendf(b, "tickTime=%d\nmaxClientCnxns=%d\n", c.TickTime.Milliseconds(), live.MaxClientCnxns)
	b = fmt.Appendf(b, "minSessionTimeout=%d\nmaxSessionTimeout=%d\n", c.Session.MinTimeout.Milliseconds(), c.Session.MaxTimeout.Milliseconds())
	return fmt.Appendf(b, "clientPortListenBacklog=%d\nserverId=%d\n", c.Listen.Backlog, c.ServerID())
}

// ConfEntry is one value of the admin command configuration.
type ConfEntry struct {
	Key   string
	Value any
}

// Conf returns what the admin command configuration answers, in its order.
func (c *Config) Conf(live Live) []ConfEntry {
	return []ConfEntry{
		{"client_port", live.ClientPort},
		{"data_dir", c.snapshotDir()},
		{"data_log_dir", c.logDir()},
		{"tick_time", c.TickTime.Milliseconds()},
		{"max_client_cnxns", live.MaxClientCnxns},
		{"min_session_timeout", c.Session.MinTimeout.Milliseconds()},
		{"max_session_timeout", c.Session.MaxTimeout.Milliseconds()},
		{"server_id", c.ServerID()},
		{"client_port_listen_backlog", c.Listen.Backlog},
	}
}

func (c *Config) snapshotDir() string { return absolute(filepath.Join(c.Data.Dir, versionDir)) }

func (c *Config) logDir() string { return absolute(filepath.Join(c.Data.LogDir, versionDir)) }

// absolute falls back to the path as it is when there is no working directory.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// ConfigNode returns the data of /zookeeper/config: the membership, or nothing
// for a server that runs alone.
func (c *Config) ConfigNode() []byte {
	if !c.Distributed() {
		return nil
	}
	return []byte(c.Ensemble.Membership.String())
}
