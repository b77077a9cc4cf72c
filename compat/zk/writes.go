package zk

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/quollhq/quoll/client"
)

// Create makes a node and returns its path, which a sequential node's number is
// part of.
func (c *Conn) Create(path string, data []byte, flags int32, acl []ACL) (string, error) {
	mode, err := parseCreateMode(flags)
	if err != nil {
		return "", err
	}
	if err := validatePath(path, mode.isSequential); err != nil {
		return "", err
	}
	if mode.isTTL {
		return "", fmt.Errorf("Create with TTL flag disallowed: %w", ErrInvalidFlags)
	}
	made, err := c.client.Create(c.ctx(), path, data, mode.mode(), clientACL(acl))
	return made, c.failure(err)
}

// CreateContainer makes a container: a node that the server deletes when its last
// child has gone. flag must be FlagContainer.
func (c *Conn) CreateContainer(path string, data []byte, flag int32, acl []ACL) (string, error) {
	mode, err := parseCreateMode(flag)
	if err != nil {
		return "", err
	}
	if err := validatePath(path, mode.isSequential); err != nil {
		return "", err
	}
	if !mode.isContainer {
		return "", fmt.Errorf("CreateContainer requires container flag: %w", ErrInvalidFlags)
	}
	made, err := c.client.Create(c.ctx(), path, data, client.Container, clientACL(acl))
	return made, c.failure(err)
}

// CreateTTL makes a node that the server deletes when it has had no child and was
// not changed for ttl. flag must be one of the two with a TTL.
func (c *Conn) CreateTTL(path string, data []byte, flag int32, acl []ACL, ttl time.Duration) (string, error) {
	mode, err := parseCreateMode(flag)
	if err != nil {
		return "", err
	}
	if err := validatePath(path, mode.isSequential); err != nil {
		return "", err
	}
	if !mode.isTTL {
		return "", fmt.Errorf("CreateTTL requires TTL flag: %w", ErrInvalidFlags)
	}
	if ttl < time.Millisecond {
		return "", ErrBadArguments // to the client, zero means none
	}
	made, err := c.client.Create(c.ctx(), path, data, mode.mode(), client.TTL(ttl), clientACL(acl))
	return made, c.failure(err)
}

// CreateProtectedEphemeralSequential makes an ephemeral, sequential node with a
// unique name. When the connection breaks it finds out whether the node was made.
// If it fails, there is no such node.
func (c *Conn) CreateProtectedEphemeralSequential(path string, data []byte, acl []ACL) (string, error) {
	if err := validatePath(path, true); err != nil {
		return "", err
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	i := strings.LastIndexByte(path, '/') + 1
	protected := fmt.Sprintf("%s_c_%x-%s", path[:i], id, path[i:])
	for tries := 1; ; tries++ {
		made, err := c.client.CreateUnique(c.round.Load().late, protected, data, client.EphemeralSequential, clientACL(acl))
		if err == nil {
			return made.Path, nil
		}
		if !errors.Is(err, client.ErrSessionExpired) || tries == 3 {
			return "", c.failure(err)
		}
	}
}

// Set replaces a node's data if it has that version, or any if version is -1.
func (c *Conn) Set(path string, data []byte, version int32) (*Stat, error) {
	if err := validatePath(path, false); err != nil {
		return nil, err
	}
	stat, err := c.client.Set(c.ctx(), path, data, version)
	err = c.failure(err)
	return statOf(stat, err), err
}

// SetACL replaces a node's access control list if that has this version, or any
// if version is -1.
func (c *Conn) SetACL(path string, acl []ACL, version int32) (*Stat, error) {
	if err := validatePath(path, false); err != nil {
		return nil, err
	}
	stat, err := c.client.SetACL(c.ctx(), path, clientACL(acl), version)
	err = c.failure(err)
	return statOf(stat, err), err
}

// Delete deletes a node without children if it has that version, or any if
// version is -1.
func (c *Conn) Delete(path string, version int32) error {
	if err := validatePath(path, false); err != nil {
		return err
	}
	return c.failure(c.client.Delete(c.ctx(), path, version))
}

// AddAuth presents an identity, on this connection and all later ones.
func (c *Conn) AddAuth(scheme string, auth []byte) error {
	return c.failure(c.client.AddAuth(c.ctx(), scheme, auth))
}

// IncrementalReconfig changes the members of the ensemble: joining are lines
// "server.N=...", leaving are numbers. It does so if the configuration has that
// version, or any if version is -1.
func (c *Conn) IncrementalReconfig(joining, leaving []string, version int64) (*Stat, error) {
	return c.reconfigure(client.Reconfiguration{
		Joining: strings.Join(joining, ","), Leaving: strings.Join(leaving, ","), Version: version,
	})
}

// Reconfig makes members, lines "server.N=...", those of the ensemble.
func (c *Conn) Reconfig(members []string, version int64) (*Stat, error) {
	return c.reconfigure(client.Reconfiguration{Members: strings.Join(members, ","), Version: version})
}

func (c *Conn) reconfigure(change client.Reconfiguration) (*Stat, error) {
	_, s, err := c.client.Reconfigure(c.ctx(), change)
	stat := Stat(s)
	return &stat, c.failure(err)
}
