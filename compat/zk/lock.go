package zk

import (
	"errors"
	"sync"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/recipe/lock"
)

var (
	// ErrDeadlock is what locking a Lock fails with that is locked.
	ErrDeadlock = errors.New("zk: trying to acquire a lock twice")
	// ErrNotLocked is what unlocking a Lock fails with that is not.
	ErrNotLocked = errors.New("zk: not locked")
)

// Lock is a lock that one holder has at a time. It excludes those of Apache
// Curator, too.
type Lock struct {
	c    *Conn
	path string
	acl  []ACL

	mu   sync.Mutex
	held *lock.Held
}

// NewLock makes a lock, which is not locked, on a node that nothing else uses.
func NewLock(c *Conn, path string, acl []ACL) *Lock {
	return &Lock{c: c, path: path, acl: acl}
}

// Lock waits until it has the lock.
func (l *Lock) Lock() error { return l.LockWithData([]byte{}) }

// LockWithData is Lock, and shows data to others meanwhile.
func (l *Lock) LockWithData(data []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held != nil {
		return ErrDeadlock
	}
	m, err := lock.New(l.c.client, l.path, lock.WithData(data), lock.WithACL(clientACL(l.acl)))
	if err != nil {
		return l.c.failure(err)
	}
	if l.held, err = m.Lock(l.c.life); err != nil {
		l.held = nil
		if l.c.life.Err() != nil {
			return ErrClosing
		}
		return l.c.failure(err)
	}
	return nil
}

// Unlock gives the lock back. It fails with ErrNoNode if it was lost before.
func (l *Lock) Unlock() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		return ErrNotLocked
	}
	err := l.held.Unlock(l.c.ctx())
	l.held = nil
	if errors.Is(err, lock.ErrLost) && !errors.Is(err, client.ErrClosed) {
		return ErrNoNode
	}
	return l.c.failure(err)
}
