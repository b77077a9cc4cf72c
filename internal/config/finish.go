package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

const (
	defaultDataDir    = "./quoll-data"
	defaultClientPort = 2181
	// leastRetain is how many snapshots Apache keeps at least.
	leastRetain = 3
	// mostJute is the longest request, in bytes: its transaction stays below 1 GiB.
	mostJute = 1<<30 - 1<<20
	// leastExtra is the floor of jute.maxbuffer.extrasize.
	leastExtra = 1024
)

// finish derives what depends on several keys and checks it.
func (c *collector) finish(cfg *Config) {
	c.data(cfg)
	c.sessions(cfg)
	c.endpoints(cfg)
	c.storage(cfg)
	c.auth(cfg)
	c.sasl(cfg)
	c.tls(cfg)
	c.metrics(cfg)
	c.ensemble(cfg)
}

// wrong reports a value that is not right together with others.
func (c *collector) wrong(key, want string) {
	e := c.entries[key]
	c.fail(&KeyError{Origin: c.origin(key), Key: key, Found: e.value, Want: want})
}

func (c *collector) data(cfg *Config) {
	if cfg.Data.Dir == "" {
		if cfg.File != "" || c.isSet("dataDir") {
			o := Origin(cfg.describeFile())
			if c.isSet("dataDir") {
				o = c.origin("dataDir")
			}
			c.fail(&KeyError{Origin: o, Key: "dataDir", Want: "the directory for snapshots, as dataDir=/var/lib/zookeeper"})
		}
		cfg.Data.Dir = defaultDataDir
	}
	if cfg.Data.LogDir == "" {
		cfg.Data.LogDir = cfg.Data.Dir
	}
	id, ok, err := ReadMyID(filepath.Join(cfg.Data.Dir, "myid"))
	if err != nil {
		c.fail(err)
		c.badMyID = true
	}
	cfg.MyID, cfg.HasMyID = id, ok
}

func (c *collector) isSet(key string) bool {
	_, ok := c.entries[key]
	return ok
}

func (c *collector) sessions(cfg *Config) {
	cfg.TickTime = time.Duration(cfg.tickMillis) * time.Millisecond
	s := &cfg.Session
	if s.MinTimeout < 0 {
		s.MinTimeout = ticks(cfg, 2)
	}
	if s.MaxTimeout < 0 {
		s.MaxTimeout = ticks(cfg, 20)
	}
	if s.MinTimeout > s.MaxTimeout {
		key := "minSessionTimeout"
		if !c.isSet(key) {
			key = "maxSessionTimeout"
		}
		c.wrong(key, fmt.Sprintf("minSessionTimeout (now %v) not above maxSessionTimeout (now %v); unset they are 2 and 20 ticks of %v", s.MinTimeout, s.MaxTimeout, cfg.TickTime))
	}
}

func (c *collector) endpoints(cfg *Config) {
	l := &cfg.Listen
	if cfg.File == "" && !c.isSet("clientPort") {
		l.Client.Enabled, l.Client.Port = true, defaultClientPort
	}
	for _, e := range []struct {
		to   *Endpoint
		port string
		host string
	}{{&l.Client, "clientPort", "clientPortAddress"}, {&l.Secure, "secureClientPort", "secureClientPortAddress"}} {
		e.to.Enabled = e.to.Enabled || c.isSet(e.port)
		if c.isSet(e.host) && !e.to.Enabled {
			c.wrong(e.host, e.port+" beside it")
		}
	}
	cfg.Admin.Address.Enabled = cfg.Admin.Enabled
	if u := cfg.Admin.CommandURL; u == "" || u[0] != '/' {
		c.wrong("admin.commandURL", "a path that begins with /")
	}
}

func (c *collector) storage(cfg *Config) {
	s := &cfg.Storage
	if s.SnapCount < 2 {
		c.warn(c.origin("snapCount"), "snapCount is below 2; 2 is used")
		s.SnapCount = 2
	}
	if cfg.Purge.Retain < leastRetain {
		c.warn(c.origin("autopurge.snapRetainCount"), "autopurge.snapRetainCount is below %d; %d is used", leastRetain, leastRetain)
		cfg.Purge.Retain = leastRetain
	}
	if s.JuteMaxBuffer > mostJute {
		c.warn(c.origin("jute.maxbuffer"), "jute.maxbuffer is above %d; %d is used", mostJute, mostJute)
		s.JuteMaxBuffer = mostJute
	}
	if s.JuteExtra < 0 {
		s.JuteExtra = s.JuteMaxBuffer
	}
	s.JuteExtra = max(s.JuteExtra, leastExtra)
	if !s.ForceSync {
		c.warn(c.origin("forceSync"), "forceSync=no: acknowledged writes are lost when the machine or its power fails")
	}
}

func (c *collector) auth(cfg *Config) {
	a := &cfg.Auth
	if cfg.superUser != "" {
		a.SuperUsers = append([]string{cfg.superUser}, a.SuperUsers...)
	}
	for _, p := range a.Providers {
		if p.Scheme == "" {
			name := "authProvider." + p.Suffix
			c.warn(c.origin(name), "the class %s cannot be loaded; its scheme is missing, and ACLs of it let nobody in", p.Class)
		}
	}
	c.x509Provider(cfg)
	switch {
	case cfg.requireSASL:
		a.EnforceSchemes = []string{"sasl"}
	case cfg.enforceAuth && len(cfg.enforceSchemes) == 0:
		c.fail(&KeyError{Origin: c.origin("enforce.auth.enabled"), Key: "enforce.auth.schemes", Want: "at least one scheme, because enforce.auth.enabled is true"})
	case cfg.enforceAuth:
		a.EnforceSchemes = cfg.enforceSchemes
		c.enforceable(cfg)
	}
}

// x509Provider adds the provider for certificates that Apache adds by itself
// where clients come by TLS.
func (c *collector) x509Provider(cfg *Config) {
	if !cfg.Listen.Secure.Enabled && !cfg.Listen.Unified {
		return
	}
	a := &cfg.Auth
	if slices.ContainsFunc(a.Providers, func(p Provider) bool { return p.Suffix == a.X509Provider }) {
		return
	}
	if a.X509Provider != "x509" {
		c.wrong("ssl.authProvider", "x509, or the suffix of an authProvider key")
		return
	}
	a.Providers = append(a.Providers, Provider{Suffix: "x509", Class: "org.apache.zookeeper.server.auth.X509AuthenticationProvider", Scheme: "x509"})
}

func (c *collector) enforceable(cfg *Config) {
	for _, s := range cfg.Auth.EnforceSchemes {
		if !cfg.Auth.Has(s) {
			c.wrong("enforce.auth.schemes", fmt.Sprintf("schemes that are switched on; %q is not (see authProvider.X)", s))
		}
	}
}

// clients refuses a server that is alone and lets nobody in.
func (c *collector) clients(cfg *Config) {
	alone := !cfg.Distributed() && !c.badMembers
	if alone && !cfg.Listen.Client.Enabled && !cfg.Listen.Secure.Enabled {
		c.fail(errors.New(cfg.describeFile() + ": neither clientPort nor secureClientPort is set: no client could connect; want for example clientPort=2181"))
	}
}

func (c *Config) describeFile() string {
	if c.File == "" {
		return "configuration"
	}
	return c.File
}

// Distributed tells whether the server is one of an ensemble.
func (c *Config) Distributed() bool {
	m := c.Ensemble.Membership
	if !c.Ensemble.Standalone {
		return len(m.Members) > 0
	}
	return m.Count(Participant) > 1
}

// ServerID returns the id that the server shows: 0 when it runs alone.
func (c *Config) ServerID() int64 {
	if c.Distributed() {
		return c.MyID
	}
	return 0
}

// SessionServerID returns the number that is the first byte of session ids: 1
// when the server runs alone.
func (c *Config) SessionServerID() int64 {
	if c.Distributed() {
		return c.MyID
	}
	return 1
}
