package zk

import "github.com/quollhq/quoll/client"

// statOf is a stat as calls return it: none when the connection is closed, an
// empty one with other failures.
func statOf(s client.Stat, err error) *Stat {
	if err == ErrConnectionClosed {
		return nil
	}
	stat := Stat(s)
	return &stat
}

// Get reads a node's data.
func (c *Conn) Get(path string) ([]byte, *Stat, error) {
	if err := validatePath(path, false); err != nil {
		return nil, nil, err
	}
	data, stat, err := c.client.Get(c.ctx(), path)
	err = c.failure(err)
	return data, statOf(stat, err), err
}

// GetW is Get with a watch: the channel yields one event when the data changes or
// the node goes away.
func (c *Conn) GetW(path string) ([]byte, *Stat, <-chan Event, error) {
	if err := validatePath(path, false); err != nil {
		return nil, nil, nil, err
	}
	ch, notify := c.watcher(path)
	data, stat, err := c.client.GetNotify(c.ctx(), path, notify)
	if err != nil {
		return nil, nil, nil, c.failure(err)
	}
	return data, statOf(stat, nil), ch, nil
}

// Exists tells whether there is a node.
func (c *Conn) Exists(path string) (bool, *Stat, error) {
	if err := validatePath(path, false); err != nil {
		return false, nil, err
	}
	stat, found, err := c.client.Exists(c.ctx(), path)
	err = c.failure(err)
	return found, statOf(stat, err), err
}

// ExistsW is Exists with a watch: the channel yields one event when the node
// comes, goes or gets other data.
func (c *Conn) ExistsW(path string) (bool, *Stat, <-chan Event, error) {
	if err := validatePath(path, false); err != nil {
		return false, nil, nil, err
	}
	ch, notify := c.watcher(path)
	stat, found, err := c.client.ExistsNotify(c.ctx(), path, notify)
	if err != nil {
		return false, nil, nil, c.failure(err)
	}
	return found, statOf(stat, nil), ch, nil
}

// Children lists the names of a node's children.
func (c *Conn) Children(path string) ([]string, *Stat, error) {
	if err := validatePath(path, false); err != nil {
		return nil, nil, err
	}
	names, stat, err := c.client.Children(c.ctx(), path)
	err = c.failure(err)
	return names, statOf(stat, err), err
}

// ChildrenW is Children with a watch: the channel yields one event when a child
// comes or goes, or the node itself goes away.
func (c *Conn) ChildrenW(path string) ([]string, *Stat, <-chan Event, error) {
	if err := validatePath(path, false); err != nil {
		return nil, nil, nil, err
	}
	ch, notify := c.watcher(path)
	names, stat, err := c.client.ChildrenNotify(c.ctx(), path, notify)
	if err != nil {
		return nil, nil, nil, c.failure(err)
	}
	return names, statOf(stat, nil), ch, nil
}

// GetACL reads a node's access control list.
func (c *Conn) GetACL(path string) ([]ACL, *Stat, error) {
	if err := validatePath(path, false); err != nil {
		return nil, nil, err
	}
	list, stat, err := c.client.ACL(c.ctx(), path)
	if err != nil {
		err = c.failure(err)
		return nil, statOf(stat, err), err
	}
	acl := make([]ACL, len(list))
	for i, a := range list {
		acl[i] = ACL{int32(a.Perms), a.Scheme, a.ID}
	}
	return acl, statOf(stat, nil), nil
}

// Sync lets later reads see all that was committed before, and returns path.
func (c *Conn) Sync(path string) (string, error) {
	if err := validatePath(path, false); err != nil {
		return "", err
	}
	if err := c.client.Sync(c.ctx(), path); err != nil {
		return "", c.failure(err)
	}
	return path, nil
}
