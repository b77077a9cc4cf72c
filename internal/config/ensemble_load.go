package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ensemble derives the membership and checks it as Apache does at its start.
func (c *collector) ensemble(cfg *Config) {
	e := &cfg.Ensemble
	e.Observer = cfg.peerType == "observer"
	c.dynamicFiles(cfg)
	m, err := cfg.members.build(e.Multi.Enabled)
	if err != nil {
		c.fail(fmt.Errorf("%s: %w", cfg.membersFile(), err))
		c.badMembers = true
		return
	}
	m.Version = e.Membership.Version
	e.Membership = m
	c.participants(cfg)
	c.ownMember(cfg)
	c.peerSASL(cfg)
}

// membersFile is the file that has the server.N.
func (c *Config) membersFile() string {
	if c.Ensemble.DynamicFile != "" {
		return c.Ensemble.DynamicFile
	}
	return c.describeFile()
}

// dynamicFiles reads the members from the files that reconfigurations write, if there are any.
func (c *collector) dynamicFiles(cfg *Config) {
	e := &cfg.Ensemble
	if e.DynamicFile != "" {
		c.namedFile(cfg)
	}
	if cfg.File == "" || e.DynamicFile == "" && !e.Reconfig {
		return
	}
	c.keptFile(cfg)
	for _, base := range []string{cfg.File, inDataDir(cfg.Data.Dir, cfg.File)} {
		c.nextFile(cfg, nextFile(base))
	}
}

// namedFile reads the file that the main one names.
func (c *collector) namedFile(cfg *Config) {
	e := &cfg.Ensemble
	for name, en := range c.entries {
		if isMemberKey(name) {
			c.fail(&KeyError{Origin: en.origin, Key: name, Found: en.value, Want: "it in the file of dynamicConfigFile, " + e.DynamicFile})
		}
	}
	texts, err := c.readDynamic(e.DynamicFile, false)
	if err == nil && len(texts.servers) == 0 {
		err = fmt.Errorf("%s: found no server.N", e.DynamicFile)
	}
	if err != nil {
		c.badMembers = true
		c.fail(fmt.Errorf("%s: dynamicConfigFile: %w; a copy of the file of another member does as well, or the server.N lines in place of this key", c.origin("dynamicConfigFile"), err))
		return
	}
	cfg.members = *texts
	e.Membership.Version = versionOfName(e.DynamicFile)
}

// keptFile reads a later configuration from dataDir, where a server keeps it if its main file cannot be replaced.
func (c *collector) keptFile(cfg *Config) {
	e := &cfg.Ensemble
	entries, err := os.ReadDir(cfg.Data.Dir)
	if err != nil {
		return // there is nothing so far
	}
	prefix, newest := filepath.Base(cfg.File)+dynamicSuffix, ""
	for _, en := range entries {
		version, ok := strings.CutPrefix(en.Name(), prefix)
		v, err := strconv.ParseInt(version, 16, 64)
		if ok && err == nil && v > e.Membership.Version {
			newest, e.Membership.Version = filepath.Join(cfg.Data.Dir, en.Name()), v
		}
	}
	if newest == "" {
		return
	}
	texts, err := c.readDynamic(newest, false)
	if err != nil {
		c.fail(err)
		return
	}
	c.warn(Origin(newest), "the members are those of this file, which a reconfiguration has written; those of %s are older", cfg.membersFile())
	cfg.members, e.DynamicFile = *texts, newest
}

// nextFile reads the configuration that was proposed last; a server that fell in a reconfiguration needs it.
func (c *collector) nextFile(cfg *Config, path string) {
	if _, err := os.Stat(path); err != nil {
		return
	}
	texts, err := c.readDynamic(path, true)
	if err != nil {
		c.warn(Origin(path), "cannot be read and is left out: %v", err)
		return
	}
	m, err := texts.build(cfg.Ensemble.Multi.Enabled)
	if err != nil {
		c.warn(Origin(path), "cannot be used and is left out: %v", err)
		return
	}
	m.Version = texts.version
	if e := &cfg.Ensemble; m.Version > e.Membership.Version && (e.Next == nil || m.Version > e.Next.Version) {
		e.Next = &m
	}
}

func isMemberKey(name string) bool {
	return strings.HasPrefix(name, "group.") || strings.HasPrefix(name, "weight.") ||
		(strings.HasPrefix(name, "server.") && isDigits(strings.TrimPrefix(name, "server.")))
}

// readDynamic reads a file that holds members alone.
func (c *collector) readDynamic(path string, version bool) (*memberTexts, error) {
	props, _, err := readProperties(path)
	if err != nil {
		return nil, err
	}
	var scratch Config
	var errs []error
	for _, p := range props {
		o := Origin(fmt.Sprintf("%s:%d", path, p.Line))
		name, value := javaTrim(p.Key), javaTrim(p.Value)
		if name == "version" {
			if !version {
				errs = append(errs, &KeyError{Origin: o, Key: name, Found: value, Want: "no version inside the file; it is the end of the file's name"})
			}
			scratch.members.version, err = strconv.ParseInt(value, 16, 64)
			if err != nil {
				errs = append(errs, &KeyError{Origin: o, Key: name, Found: value, Want: "a hexadecimal number"})
			}
			continue
		}
		k, suffix := c.keys.find(name)
		if k == nil || !isMemberKey(name) {
			errs = append(errs, &KeyError{Origin: o, Key: name, Found: value, Want: "only server.N, group.N and weight.N in a dynamic file"})
			continue
		}
		if err := k.set(&scratch, suffix, value); err != nil {
			errs = append(errs, &KeyError{Origin: o, Key: name, Found: value, Want: strings.TrimPrefix(err.Error(), "want ")})
		}
	}
	return &scratch.members, errors.Join(errs...)
}

// versionOfName is the hexadecimal number after the last dot, else 0.
func versionOfName(path string) int64 {
	v, err := strconv.ParseInt(strings.TrimPrefix(filepath.Ext(path), "."), 16, 64)
	if err != nil {
		return 0
	}
	return v
}

func (c *collector) participants(cfg *Config) {
	e := &cfg.Ensemble
	voters, observers := e.Membership.Count(Participant), e.Membership.Count(ObserverRole)
	file := cfg.membersFile()
	switch {
	case voters == 0 && !e.Standalone:
		c.wrong("standaloneEnabled", "true, or at least one participant (server.N)")
	case voters == 0 && observers > 0:
		c.fail(fmt.Errorf("%s: found %d observers and no participant, want at least one participant", file, observers))
	case voters == 1 && e.Standalone:
		if observers > 0 {
			c.fail(fmt.Errorf("%s: found %d observers beside one participant, want standaloneEnabled=false or more participants", file, observers))
			return
		}
		c.warn(Origin(file), "one server.N only: the server runs alone and does not listen for others")
	case voters > 0:
		c.quorumSettings(cfg)
	}
}

// quorumSettings checks what only members of an ensemble need.
func (c *collector) quorumSettings(cfg *Config) {
	e := &cfg.Ensemble
	for _, l := range []struct {
		key string
		n   int
	}{{"initLimit", e.InitLimit}, {"syncLimit", e.SyncLimit}} {
		if l.n == 0 {
			c.fail(&KeyError{Origin: Origin(cfg.describeFile()), Key: l.key, Found: c.entries[l.key].value, Want: "a number of ticks above 0, because there are several servers"})
		}
	}
	c.place(cfg)
	c.unused()
	if e.CommitLogCount < leastCommitLog {
		c.warn(c.origin("commitLogCount"), "commitLogCount is below %[1]d; %[1]d is used", leastCommitLog)
		e.CommitLogCount = leastCommitLog
	}
	c.sharedPorts(cfg)
	if e.Membership.Hierarchical() && e.Membership.weightless() {
		c.fail(fmt.Errorf("%s: all weights are 0, want a participant with a weight of at least 1", cfg.membersFile()))
	}
	voters := e.Membership.Count(Participant)
	switch {
	case voters <= 2:
		c.warn(Origin(cfg.membersFile()), "%d participants survive no failure; want 3 at least", voters)
	case voters%2 == 0:
		c.warn(Origin(cfg.membersFile()), "%d participants survive no more failures than %d", voters, voters-1)
	}
}

// sharedPorts warns about two members at one address: one of the lines is likely to have been copied.
func (c *collector) sharedPorts(cfg *Config) {
	owners := make(map[string]int64)
	for _, m := range cfg.Ensemble.Membership.Members {
		for _, a := range m.Addrs {
			for _, port := range []int{a.Quorum, a.Election} {
				at := net.JoinHostPort(strings.ToLower(a.Host), strconv.Itoa(port))
				if other, taken := owners[at]; taken && other != m.ID {
					c.warn(Origin(cfg.membersFile()), "server.%d and server.%d have the same address %s; want one of its own for each", other, m.ID, at)
				}
				owners[at] = m.ID
			}
		}
	}
}

// place tells whether this server is one of the members.
func (c *collector) place(cfg *Config) {
	file := filepath.Join(cfg.Data.Dir, "myid")
	_, member := cfg.Ensemble.Membership.Find(cfg.MyID)
	switch {
	case c.badMyID: // that is said
	case !cfg.HasMyID:
		c.fail(fmt.Errorf("%s: the file is missing, want one line with the number N of this server's server.N", file))
	case !member:
		c.fail(fmt.Errorf("%s: found %d, but there is no server.%[2]d in %s, want the number of one of: %s",
			file, cfg.MyID, cfg.membersFile(), cfg.Ensemble.Membership.numbers()))
	}
}

// ownMember lets the line of this server decide on its role and client port.
func (c *collector) ownMember(cfg *Config) {
	e, l := &cfg.Ensemble, &cfg.Listen
	own, ok := e.Membership.Find(cfg.MyID)
	ok = ok && cfg.HasMyID
	if isObserver := ok && own.Role == ObserverRole; isObserver != e.Observer {
		if c.isSet("peerType") {
			c.warn(c.origin("peerType"), "peerType does not match the role in this server's server.N, which counts")
		}
		e.Observer = isObserver
	}
	if !ok {
		return
	}
	c.ownEndpoint(&l.Client, own.Client, "clientPort", cfg.MyID)
	c.ownEndpoint(&l.Secure, own.Secure, "secureClientPort", cfg.MyID)
}

func (c *collector) ownEndpoint(have *Endpoint, member Endpoint, key string, id int64) {
	if !member.Enabled {
		return
	}
	any := func(h string) bool { return h == "" || h == "0.0.0.0" || h == "::" }
	sameHost := have.Host == member.Host || any(have.Host)
	if c.isSet(key) && (have.Port != member.Port || !sameHost) {
		c.wrong(key, fmt.Sprintf("the same address as in server.%d, %s", id, member))
	}
	*have = member
}

func (c *collector) peerSASL(cfg *Config) {
	s := cfg.Ensemble.SASL
	for _, need := range []struct {
		on   bool
		key  string
		have bool
		by   string
	}{
		{s.ServerRequired, "quorum.auth.serverRequireSasl", s.Enabled, "quorum.auth.enableSasl"},
		{s.LearnerRequired, "quorum.auth.learnerRequireSasl", s.Enabled, "quorum.auth.enableSasl"},
		{s.ServerRequired, "quorum.auth.serverRequireSasl", s.LearnerRequired, "quorum.auth.learnerRequireSasl"},
	} {
		if need.on && !need.have {
			c.wrong(need.key, need.by+"=true beside it")
		}
	}
}

// ReadMyID reads the file myid: one line with the number of the server. No
// file is no error: ok is false then.
func ReadMyID(path string) (id int64, ok bool, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && !info.Mode().IsRegular()) {
		return 0, false, nil
	}
	text, err := readBounded(path, 1<<16)
	if err != nil {
		return 0, false, err
	}
	line, _, _ := strings.Cut(strings.ReplaceAll(string(text), "\r", "\n"), "\n")
	id, err = strconv.ParseInt(line, 10, 64)
	if err != nil {
		return 0, false, &SyntaxError{File: path, Line: 1, Msg: fmt.Sprintf("found %s, want the number of this server alone", quoteFound(line))}
	}
	return id, true, nil
}
