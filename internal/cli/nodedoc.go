package cli

import (
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/quollhq/quoll/client"
)

// nodeDoc is one node of an export. Its path is relative to the exported one:
// "" is that itself, "/a/b" is below it.
type nodeDoc struct {
	Path string `json:"path"`
	dataDoc
	nodeMeta
}

// nodeMeta is what there is to tell of a node besides path and data.
type nodeMeta struct {
	ACL       []aclDoc `json:"acl,omitempty"`       // none: open to all
	Container bool     `json:"container,omitempty"` // a container
	TTL       int64    `json:"ttl,omitempty"`       // milliseconds
}

func (m *nodeMeta) plain() bool { return len(m.ACL) == 0 && !m.Container && m.TTL == 0 }

// nodeSink takes nodes, parents before children. Close with complete false
// throws away what can be thrown away.
type nodeSink interface {
	put(n nodeDoc) error
	close(complete bool) error
}

// nodeSeq yields nodes, parents before children. An error is the last pair.
type nodeSeq = iter.Seq2[nodeDoc, error]

// at is the node's path below root.
func (n *nodeDoc) at(root string) string {
	switch {
	case n.Path == "":
		return root
	case root == "/":
		return n.Path
	}
	return root + n.Path
}

// options are what Create needs to make the node.
func (n *nodeDoc) options(acls bool) ([]client.CreateOption, error) {
	var opts []client.CreateOption
	if n.Container && n.TTL != 0 {
		return nil, fmt.Errorf("node %q: a container has no time to live", n.Path)
	}
	if n.Container {
		opts = append(opts, client.Container)
	}
	if n.TTL < 0 || n.TTL > maxTTL {
		return nil, fmt.Errorf("node %q: time to live of %d ms", n.Path, n.TTL)
	}
	if n.TTL != 0 {
		opts = append(opts, client.TTL(time.Duration(n.TTL)*time.Millisecond))
	}
	if acls && len(n.ACL) > 0 {
		acl, err := n.acl()
		if err != nil {
			return nil, err
		}
		opts = append(opts, acl)
	}
	return opts, nil
}

func (n *nodeDoc) acl() (client.ACLs, error) {
	acl := make(client.ACLs, len(n.ACL))
	for i, a := range n.ACL {
		perms, err := strictPerms(a.Perms)
		if err != nil {
			return nil, fmt.Errorf("node %q: %w", n.Path, err)
		}
		acl[i] = client.ACL{Perms: perms, Scheme: a.Scheme, ID: a.ID}
	}
	return acl, nil
}

func strictPerms(s string) (client.Perm, error) {
	var perms client.Perm
	for _, r := range s {
		p := permOf(r)
		if p == 0 {
			return 0, fmt.Errorf("permission %q is none of cdrwa", r)
		}
		perms |= p
	}
	return perms, nil
}

// isOpen tells whether everybody may do everything.
func isOpen(acl client.ACLs) bool {
	return len(acl) == 1 && acl[0] == client.OpenACL()[0]
}

var errFormat = errors.New("this is no export of quoll cli")
