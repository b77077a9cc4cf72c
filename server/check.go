package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/quollhq/quoll/internal/config"
	"github.com/quollhq/quoll/internal/peer"
	"github.com/quollhq/quoll/internal/peer/authn"
	"github.com/quollhq/quoll/internal/peer/socket"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/tlsconf"
)

// Check tells whether the server could start, without starting it: it reads what
// the configuration names and New did not read (the stores of TLS, the rules of
// Kerberos, the schemes), and looks at the directories. It changes nothing; ports
// are not tried, and data is not read. The error joins all that is wrong.
func (s *Server) Check() error {
	errs := []error{s.setupAuth(), s.setupSASL()}
	if s.cfg.Listen.Secure.Enabled || s.cfg.Listen.Unified {
		if _, err := tlsconf.Open(s.cfg.TLS, s.log); err != nil {
			errs = append(errs, fmt.Errorf("TLS for clients: %w", err))
		}
	}
	if a := &s.cfg.Admin; a.Enabled && (a.Unified || a.ForceHTTPS) {
		if _, err := tlsconf.Open(s.cfg.AdminTLS(), s.log); err != nil {
			errs = append(errs, fmt.Errorf("TLS of the admin server (ssl.quorum.*): %w", err))
		}
	}
	if s.cfg.Distributed() {
		errs = append(errs, s.checkMember())
	}
	return errors.Join(append(errs, s.checkDirs())...)
}

// checkMember is what joinEnsemble wants of the configuration.
func (s *Server) checkMember() error {
	c := &s.cfg
	active, err := peer.Membership(c.Ensemble.Membership)
	if err != nil {
		return err
	}
	var errs []error
	if c.Ensemble.Next != nil {
		_, err := peer.Membership(*c.Ensemble.Next)
		errs = append(errs, err)
	}
	if c.Ensemble.Reconfig {
		_, err := config.NewDynamicFiles(c)
		errs = append(errs, err)
	}
	_, authErr := authn.FromConfig(c, newMachine(s, active).hosts, s.log)
	_, _, tlsErr := socket.FromConfig(c, s.log)
	return errors.Join(append(errs, authErr, tlsErr)...)
}

// checkDirs looks whether the server could use its directories, or make them.
func (s *Server) checkDirs() error {
	d := &s.cfg.Data
	dirs := []string{d.Dir}
	if d.LogDir != d.Dir {
		dirs = append(dirs, d.LogDir)
	}
	errs := make([]error, len(dirs))
	for i, dir := range dirs {
		errs[i] = checkDir(filepath.Join(dir, storage.VersionDir), d.AutoCreate)
	}
	return errors.Join(errs...)
}

func checkDir(dir string, create bool) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !create:
		return fmt.Errorf("%w %s is missing and datadir.autocreate is off: create it, or correct dataDir and dataLogDir", storage.ErrDirectory, dir)
	case errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir:
		return checkDir(filepath.Dir(dir), true)
	case err != nil:
		return fmt.Errorf("%w %s: %w", storage.ErrDirectory, dir, err)
	case !info.IsDir():
		return fmt.Errorf("%w %s is a file", storage.ErrDirectory, dir)
	}
	if err := mayWrite(dir); err != nil {
		return fmt.Errorf("%w %s cannot be written: %w", storage.ErrDirectory, dir, err)
	}
	return nil
}

// Summary says in a few lines what the server would be: its role, its
// directories and its ports.
func (s *Server) Summary() string {
	c := &s.cfg
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-8s %s\n", name+":", fmt.Sprintf(format, args...))
	}
	line("role", "%s", s.role())
	if c.Data.LogDir == c.Data.Dir {
		line("data", "%s", c.Data.Dir)
	} else {
		line("data", "%s (snapshots), %s (logs)", c.Data.Dir, c.Data.LogDir)
	}
	for _, e := range []struct {
		at  config.Endpoint
		how string
	}{{c.Listen.Client, map[bool]string{true: " (TLS and plain text)"}[c.Listen.Unified]}, {c.Listen.Secure, " (TLS)"}} {
		if e.at.Enabled {
			line("clients", "%s%s", e.at, e.how)
		}
	}
	if c.Admin.Enabled {
		line("admin", "%s", c.Admin.Address)
	}
	if c.Metrics.Prometheus && c.Metrics.HTTP.Enabled {
		line("metrics", "%s", c.Metrics.HTTP)
	}
	if own, ok := c.Ensemble.Membership.Find(c.MyID); ok && c.Distributed() {
		var quorum, election []string
		for _, a := range own.Addrs {
			host := a.Host
			if c.Ensemble.ListenOnAllIPs {
				host = ""
			}
			quorum = append(quorum, net.JoinHostPort(host, strconv.Itoa(a.Quorum)))
			election = append(election, net.JoinHostPort(host, strconv.Itoa(a.Election)))
		}
		line("members", "%s (quorum), %s (elections)", strings.Join(quorum, ", "), strings.Join(election, ", "))
	}
	return b.String()
}

// role is what the server would be.
func (s *Server) role() string {
	c := &s.cfg
	if !c.Distributed() {
		return "a server that is alone"
	}
	m := &c.Ensemble.Membership
	votes := "votes"
	if own, _ := m.Find(c.MyID); own.Role == config.ObserverRole {
		votes = "has no vote (observer)"
	}
	return fmt.Sprintf("server.%d of %d members, %s", c.MyID, len(m.Members), votes)
}
