package client

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// AddAuth presents one more identity, on this connection and all later ones:
// for scheme "digest" auth is "user:password". If the server refuses, it fails
// with ErrAuthFailed, the server closes the connection, and the client
// reconnects without that identity.
func (c *Client) AddAuth(ctx context.Context, scheme string, auth []byte) error {
	q := c.newCall(proto.OpAuth, "")
	p := proto.AuthPacket{Scheme: scheme, Auth: auth}
	q.out = p.Append(q.out)
	if _, err := c.do(ctx, q); err != nil {
		return err
	}
	cr := credential{scheme, bytes.Clone(auth)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.ContainsFunc(c.creds, func(o credential) bool { return o.scheme == scheme && bytes.Equal(o.auth, auth) }) {
		c.creds = append(slices.Clip(c.creds), cr)
	}
	return nil
}

// WhoAmI lists the identities that the server sees in this connection.
func (c *Client) WhoAmI(ctx context.Context) ([]ClientInfo, error) {
	r, err := c.do(ctx, c.newCall(proto.OpWhoAmI, ""))
	if err != nil {
		return nil, err
	}
	infos := decodeIdentities(&r)
	return infos, r.end()
}

func decodeIdentities(r *reply) []ClientInfo {
	n := r.Count(8)
	infos := make([]ClientInfo, 0, max(0, n))
	for range n {
		infos = append(infos, ClientInfo{Scheme: r.String(), User: r.String()})
	}
	return infos
}

// ConfigPath is the node that holds the configuration of the ensemble. It is
// the same under every chroot.
const ConfigPath = "/zookeeper/config"

// Config reads the configuration of the ensemble: lines "server.N=..." and
// "version=...".
func (c *Client) Config(ctx context.Context) ([]byte, Stat, error) { return c.config(ctx, sink{}) }

// ConfigW is Config with a watch, as GetW.
func (c *Client) ConfigW(ctx context.Context) ([]byte, Stat, <-chan Event, error) {
	to := newSink()
	data, stat, err := c.config(ctx, to)
	if err != nil {
		return nil, stat, nil, err
	}
	return data, stat, to.ch, nil
}

func (c *Client) config(ctx context.Context, to sink) ([]byte, Stat, error) {
	q := c.newCall(proto.OpGetData, ConfigPath)
	q.out = jute.AppendBool(jute.AppendString(q.out, ConfigPath), to.set())
	if to.set() {
		q.once = &onceWatch{onceData, ConfigPath, to}
	}
	return dataAndStat(c.do(ctx, q))
}

// Reconfiguration changes the members of the ensemble: either by Joining and
// Leaving, or as a whole by Members.
type Reconfiguration struct {
	// Joining are server lines, "server.N=host:port:port;port", separated by commas.
	Joining string
	// Leaving are ids of servers, separated by commas.
	Leaving string
	// Members are the server lines of the whole new ensemble, separated by commas.
	Members string
	// Version of the configuration that is changed; -1 for whichever it is. Its
	// zero value is version 0.
	Version int64
}

// Reconfigure changes the members of the ensemble and returns the new
// configuration.
func (c *Client) Reconfigure(ctx context.Context, change Reconfiguration) ([]byte, Stat, error) {
	if change.Members != "" && (change.Joining != "" || change.Leaving != "") {
		return nil, Stat{}, &OpError{Op: proto.OpReconfig.String(), Err: fmt.Errorf("%w: members exclude joining and leaving", ErrBadArguments)}
	}
	q := c.newCall(proto.OpReconfig, "")
	for _, s := range []string{change.Joining, change.Leaving, change.Members} {
		if s == "" {
			q.out = jute.AppendBuffer(q.out, nil)
		} else {
			q.out = jute.AppendString(q.out, s)
		}
	}
	q.out = jute.AppendLong(q.out, change.Version)
	return dataAndStat(c.do(ctx, q))
}
