package storage

import (
	"time"

	"github.com/quollhq/quoll/internal/proto"
)

const (
	snapshotMagic = 0x5a4b534e // "ZKSN"
	snapshotDBID  = -1
	statLen       = 60 // an encoded proto.StatPersisted
	sealLen       = 13 // Adler32 long | string "/"
	nodesEnd      = "/"
	// OpenACLID is the ACL id of nodes that are open to everybody; the
	// snapshot holds no list for it.
	OpenACLID int64 = -1
)

// Session is a session as a snapshot holds it.
type Session struct {
	ID      int64
	TimeOut int32 // milliseconds
}

// SnapshotACL is an access control list as a snapshot holds it: its number and
// the encoded vector.
type SnapshotACL struct {
	ID  int64
	ACL []byte
}

// SnapshotDigest is the digest of the tree as of a transaction.
type SnapshotDigest struct {
	Zxid    int64
	Version int32 // of the algorithm: txn.DigestVersion
	Value   uint64
}

// SnapshotSource is a state to be written as a snapshot: one that does not
// change while it is read.
type SnapshotSource interface {
	// Zxid is the last transaction in it; it names the file.
	Zxid() int64
	// Digest is the tree's digest; false leaves its section out.
	Digest() (SnapshotDigest, bool)
	// Sessions are the global sessions.
	Sessions() []Session
	// ACLs are the lists that nodes refer to.
	ACLs() []SnapshotACL
	// Walk yields every node, a parent before its children, and first the
	// root, whose path is "". What is yielded needs to be valid only until
	// yield returns; nil data is null. It ends with the first error of yield.
	Walk(yield func(path string, data []byte, acl int64, stat *proto.StatPersisted) error) error
}

// SnapshotSink takes what a snapshot holds, in the order of the file: first
// the sessions, then the ACLs, then the nodes. An error from it means that the
// snapshot is of no use.
type SnapshotSink interface {
	// Begin starts a snapshot. What an unusable one before it left is to be dropped.
	Begin() error
	AddSession(id int64, timeOut int32) error
	// AddACL gets the encoded vector, valid only during the call.
	AddACL(id int64, acl []byte) error
	// AddNode gets every node after its parent, the root (path "") first.
	// path, data (nil is null) and stat are valid only during the call.
	AddNode(path string, data []byte, acl int64, stat *proto.StatPersisted) error
	// Finish is called once everything was added and all checksums were right.
	// An error means that the snapshot is not to be used: for example that the
	// digest does not match. The digest belongs to Digest.Zxid: in a snapshot
	// that Apache wrote while transactions were applied that is later than
	// Zxid, and the digest can be compared only after they are replayed.
	Finish(info *SnapshotInfo) error
}

// Expecter is a SnapshotSink that wants to know how many nodes are likely to come.
type Expecter interface {
	// Expect is called now and then while nodes are added. The snapshot will have
	// about so many, if those to come are as long as those that came.
	Expect(nodes int)
}

// SnapshotInfo describes a snapshot that was read or written.
type SnapshotInfo struct {
	Path        string
	Zxid        int64 // in the file's name
	Compression Compression
	Size        int64 // bytes of the file
	ModTime     time.Time
	Sessions    int
	ACLs        int
	Nodes       int
	HasDigest   bool
	Digest      SnapshotDigest
	// HasLastZxid tells whether the snapshot says itself which transaction was
	// the last: what a stream is known by, which has no name. Load does not tell
	// it: the logs go on behind Zxid, and not all nodes need be as of LastZxid.
	HasLastZxid bool
	LastZxid    int64
	Elapsed     time.Duration // reading or writing it
}
