package datatool

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/storage"
)

// sized is a node with what lies below it.
type sized struct {
	name     string // the last part of its path; "/" of the root
	path     string
	data     int64 // bytes of its own
	total    int64 // with those of all below
	below    int   // how many nodes are below
	children []*sized
	content  uint64 // of data and access control list: differs if they do, but for an accident
	stat     proto.StatPersisted
}

// readSizes reads the shape of a snapshot into memory, children by name.
func readSizes(ctx context.Context, path string) (*sized, storage.SnapshotInfo, error) {
	root := &sized{name: "/", path: "/"}
	nodes := map[string]*sized{}
	acls := map[int64][]byte{storage.OpenACLID: proto.AppendACLs(nil, proto.OpenACL())}
	addACL := func(id int64, acl []byte) error {
		acls[id] = slices.Clone(acl)
		return nil
	}
	v := &visitor{acl: addACL, node: func(path string, data []byte, acl int64, stat *proto.StatPersisted) error {
		path = strings.Clone(path)
		n := root
		if path != "" {
			at := strings.LastIndexByte(path, '/')
			parent := nodes[path[:max(at, 0)]]
			if at < 0 || parent == nil {
				return fmt.Errorf("node %q without its parent", path)
			}
			n = &sized{name: path[at+1:], path: path}
			parent.children = append(parent.children, n)
		}
		n.data, n.content = int64(len(data)), fingerprint(data, acls[acl])
		n.stat = *stat
		nodes[path] = n
		return nil
	}}
	info, err := storage.ReadSnapshotFile(ctx, storage.OS(), path, v)
	root.sum()
	return root, info, err
}

func (n *sized) sum() {
	slices.SortFunc(n.children, func(a, b *sized) int { return cmp.Compare(a.name, b.name) })
	n.total, n.below = n.data, 0
	for _, c := range n.children {
		c.sum()
		n.total += c.total
		n.below += 1 + c.below
	}
}

// find is the node at path below n, nil if there is none.
func (n *sized) find(path string) *sized {
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if part == "" {
			continue
		}
		i := slices.IndexFunc(n.children, func(c *sized) bool { return c.name == part })
		if i < 0 {
			return nil
		}
		n = n.children[i]
	}
	return n
}

// fingerprint is FNV-1a.
func fingerprint(parts ...[]byte) uint64 {
	h := uint64(14695981039346656037)
	for _, p := range parts {
		for _, b := range p {
			h = (h ^ uint64(b)) * 1099511628211
		}
		h = (h ^ uint64(len(p))) * 1099511628211
	}
	return h
}
