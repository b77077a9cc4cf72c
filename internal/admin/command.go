package admin

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"

	"github.com/quollhq/quoll/internal/auth"
	"github.com/quollhq/quoll/internal/proto"
)

// command is one of the HTTP server's commands.
type command struct {
	names  []string // the first is the primary one
	post   bool     // by POST instead of GET
	noNode bool     // answers although nobody serves clients
	auth   bool     // needs all permissions on the root
	run    func(a *Admin, c *call) *response
}

// call is one execution of a command.
type call struct {
	ctx    context.Context
	name   string // the command's primary one
	node   *Node  // nil only for commands with noNode
	args   url.Values
	body   io.Reader
	header string // Authorization
	peer   auth.Peer
}

// response is what a command answers.
type response struct {
	command string
	err     string // none if empty
	status  int
	header  map[string]string
	data    object
	// stream, if not nil, is sent instead of data, and closed.
	stream io.ReadCloser
}

// answer starts the response to c with data.
func (c *call) answer(data ...field) *response {
	return &response{command: c.name, status: http.StatusOK, data: data}
}

// fail is a response without data.
func (c *call) fail(status int, err string) *response {
	return &response{command: c.name, status: status, err: err}
}

// json is the whole document. The command and the error come last, unless the
// command has put an error of its own among its data.
func (r *response) json() []byte {
	doc := append(object(nil), r.data...)
	doc.set("command", r.command)
	switch {
	case r.err != "":
		doc.set("error", r.err)
	case !doc.has("error"):
		doc.set("error", nil)
	}
	return appendJSON(nil, doc, 0)
}

// commands are all there are, by primary name.
func commands() []command {
	return slices.Concat(statCommands(), stateCommands(), ensembleCommands(), dataCommands())
}

// findCommand looks a command up by any of its names.
func findCommand(name string) (command, bool) {
	for _, c := range commands() {
		if slices.Contains(c.names, name) {
			return c, true
		}
	}
	return command{}, false
}

// primaryNames lists the commands in order.
func primaryNames() []string {
	var names []string
	for _, c := range commands() {
		names = append(names, c.names[0])
	}
	slices.Sort(names)
	return names
}

// run executes a command after all that must be checked before. Refusals have
// Apache's texts and codes.
func (a *Admin) run(name string, post bool, c *call) *response {
	cmd, known := findCommand(name)
	if !known {
		c.name = name
		return c.fail(http.StatusOK, "Unknown command: "+name)
	}
	c.name = cmd.names[0]
	if cmd.noNode {
		c.node = a.node.Load()
	} else if c.node = a.serving(); c.node == nil {
		return c.fail(http.StatusOK, notServing)
	}
	if cmd.auth {
		if refusal := a.authorize(c); refusal != nil {
			return refusal
		}
	}
	if cmd.post != post {
		method := http.MethodGet
		if cmd.post {
			method = http.MethodPost
		}
		r := c.fail(http.StatusMethodNotAllowed, "This command is run by "+method)
		r.header = map[string]string{"Allow": method}
		return r
	}
	return cmd.run(a, c)
}

// authorize lets those pass who have all permissions on the root; nil is yes.
func (a *Admin) authorize(c *call) *response {
	if c.header == "" {
		return c.fail(http.StatusUnauthorized, "Auth info is missing for the command")
	}
	ids, err := c.node.Engine.Auth.AuthenticateAdmin(c.header, c.peer)
	switch {
	case errors.Is(err, auth.ErrUnauthenticated):
		a.Logger.Warn("admin command refused", "command", c.name, "client", c.peer.Addr.String(), "reason", err)
		return c.fail(http.StatusUnauthorized, "Not authenticated")
	case err != nil:
		a.Logger.Warn("admin command refused", "command", c.name, "client", c.peer.Addr.String(), "reason", err)
		return c.fail(http.StatusInternalServerError, "Error occurred during auth")
	}
	if !mayDoAll(c.node, ids) {
		a.Logger.Warn("admin command refused: the client lacks permissions on /", "command", c.name, "client", c.peer.Addr.String())
		return c.fail(http.StatusForbidden, "Not authorized")
	}
	return nil
}

// mayDoAll tells whether ids have each permission on the root.
func mayDoAll(n *Node, ids []auth.ID) bool {
	t := n.Engine.Tree
	t.RLock(0)
	acl := t.ACLByID(t.ACLID(t.Find("/")))
	t.RUnlock(0)
	compiled := n.Engine.Auth.Compile(acl)
	for perm := proto.PermRead; perm <= proto.PermAdmin; perm <<= 1 {
		if !compiled.Allows(perm, ids) {
			return false
		}
	}
	return true
}

// peerOf is the client of an HTTP request, as the schemes judge it.
func (a *Admin) peerOf(r *http.Request) auth.Peer {
	p := auth.Peer{}
	if addr, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		p.Addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	}
	if r.TLS != nil {
		p.Certificates = append([]*x509.Certificate(nil), r.TLS.PeerCertificates...)
	}
	if a.Config.Auth.ForwardedFor {
		p.Host = auth.ForwardedHost(r.Header.Get("X-Forwarded-For"))
	}
	return p
}
