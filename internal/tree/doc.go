// Package tree is the state machine: it holds the znodes, their ACLs, the
// ephemerals of each session and the quotas, and changes them only by applying
// transactions. It knows no clock, disk or network, so that every server that
// applies the same transactions holds the same tree.
//
// # Locks
//
// Readers hold RLock, spread by a slot number so that they do not slow each
// other down; whoever applies holds Lock, which keeps all of them out. A Node,
// and memory that aliases the tree, is valid as long as the lock under which it
// was obtained is held.
//
// # Memory
//
// A znode costs 24 bytes, 20 bytes with its name and data, rounded up to a size
// class, and about 8 bytes in the index; 18 more once its data was set. None of
// it is on Go's heap or holds a pointer:
//
//	header  24 bytes: links to relatives, ACL
//	blob    zxids, times, version, name, data
//	dir     what only znodes have that once had children: 32 bytes
//	extra   what few znodes have: an owner, an ACL version: 32 bytes
//	index   hash of the full path -> number of the header: 6 bytes
//
// # Views
//
// Freeze yields a View, which shows the tree as it was, without a lock, however
// long it is kept. Headers, dirs and extras lie in pages of 64; a page that a
// View can see is copied before it is changed, and what was replaced or removed
// is freed once no View can see it.
package tree
