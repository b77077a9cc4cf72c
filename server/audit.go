package server

import (
	"os"
	"os/user"

	"github.com/quollhq/quoll/internal/audit"
	"github.com/quollhq/quoll/internal/request"
)

// newAudit makes the audit log, nil if it is off. Its lines go into the
// server's log.
func (s *Server) newAudit() *audit.Logger {
	if !s.cfg.Audit {
		return nil
	}
	name := os.Getenv("USER")
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return audit.New(audit.Options{User: name, Log: s.log})
}

// auditClient is how the audit log names a client.
func (s *Server) auditClient(c *request.Client) audit.Client {
	return audit.Client{Session: c.Session.ID(), User: s.auth.Users(c.IDs()), IP: c.Addr.Addr().String()}
}
