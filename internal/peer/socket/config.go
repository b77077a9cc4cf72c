package socket

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/quollhq/quoll/internal/config"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/tlsconf"
)

// ErrConfig is wrapped by errors of configurations that cannot be used.
var ErrConfig = errors.New("connections between servers")

// FromConfig returns what a configuration says about election connections and about quorum connections. They share one
// source of certificates, nil without TLS, whose Watch is for the caller to run.
func FromConfig(cfg *config.Config, log *slog.Logger) (election, quorum Options, err error) {
	e := &cfg.Ensemble
	o := Options{DialTLS: e.TLS.Enabled, AcceptPlain: e.TLS.Unified, Timeout: e.Election.ConnectTimeout}
	if e.TLS.Enabled || e.TLS.Unified {
		key := "sslQuorum"
		if !e.TLS.Enabled {
			key = "portUnification"
		}
		if cfg.PeerTLS.KeyStore.Location == "" {
			return election, quorum, fmt.Errorf("%w: ssl.quorum.keyStore.location is not set, want the path of a key store, because %s is true", ErrConfig, key)
		}
		if o.TLS, err = tlsconf.Open(cfg.PeerTLS, log); err != nil {
			return election, quorum, fmt.Errorf("%w: ssl.quorum: %w", ErrConfig, err)
		}
	}
	election, quorum = o, o
	election.KeepAlive = e.Election.KeepAlive
	if election.Unacked = time.Duration(e.SyncLimit) * cfg.TickTime; e.Election.IdleTimeout > 0 {
		election.Unacked = e.Election.IdleTimeout
	}
	quorum.Delay = !e.Leader.NoDelay || !e.Learner.NoDelay
	return election, quorum, nil
}

// Addresses returns the election and the quorum addresses of a member, or where it listens for them if it listens on all
// addresses of its machine.
func Addresses(m config.Member, onAllIPs bool) (election, quorum []wire.Address) {
	for _, a := range m.Addrs {
		host := a.Host
		if onAllIPs {
			host = ""
		}
		election = append(election, wire.Address{Host: host, Port: uint16(a.Election)})
		quorum = append(quorum, wire.Address{Host: host, Port: uint16(a.Quorum)})
	}
	return election, quorum
}
