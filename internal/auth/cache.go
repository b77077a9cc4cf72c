package auth

import (
	"sync"
	"sync/atomic"

	"github.com/quollhq/quoll/internal/proto"
)

// Cache holds compiled lists by the small numbers that the tree interns them
// under. A look-up takes no lock. A number may come to stand for another list:
// the caller hands the list in as well, and a list is the one that was compiled
// if it lies in the same memory. So lists that are interned must not change.
type Cache struct {
	reg   *Registry
	mu    sync.Mutex // held while slots grows
	slots atomic.Pointer[[]atomic.Pointer[Compiled]]
}

// maxCached bounds the numbers that are cached: 8 bytes for each at most.
const maxCached = 1 << 22

// NewCache makes a Cache of lists compiled by r.
func (r *Registry) NewCache() *Cache {
	c := &Cache{reg: r}
	c.slots.Store(new([]atomic.Pointer[Compiled]))
	return c
}

// Get is acl, interned as id, compiled.
func (c *Cache) Get(id uint32, acl []proto.ACL) *Compiled {
	if len(acl) == 0 {
		return c.reg.open
	}
	slots := *c.slots.Load()
	if int(id) < len(slots) {
		if got := slots[id].Load(); got != nil && got.first == &acl[0] && got.length == len(acl) {
			return got
		}
	}
	return c.fill(id, acl)
}

func (c *Cache) fill(id uint32, acl []proto.ACL) *Compiled {
	made := c.reg.Compile(acl)
	if id >= maxCached {
		return made
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	slots := *c.slots.Load()
	if int(id) >= len(slots) {
		grown := make([]atomic.Pointer[Compiled], max(64, 2*len(slots), int(id)+1))
		for i := range slots {
			grown[i].Store(slots[i].Load())
		}
		slots = grown
		c.slots.Store(&slots)
	}
	slots[id].Store(made)
	return made
}
