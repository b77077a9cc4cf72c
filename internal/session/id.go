// Package session keeps the sessions of clients: their numbers and passwords,
// and when they expire.
//
// Nothing here reads a clock. Times are milliseconds of a clock that never
// goes back, handed in by the caller, who uses the same clock throughout.
package session

import (
	"crypto/subtle"
	"encoding/binary"
	"math"
	"sync/atomic"

	"github.com/quollhq/quoll/internal/proto"
)

// FirstID is the number of the first session that a server gives after its
// start at time now: the server's number in the top byte, below it forty bits
// of the time, sixteen zero bits last.
//
// Two runs of one server must not give the same numbers, so now has to go on
// where the run before left off: milliseconds since 1970 or since the machine
// started, never since the process did.
//
// The one number that would mark a container znode is skipped.
func FirstID(serverID, now int64) int64 {
	id := int64(uint64(now)<<24>>8) | serverID<<56
	if id == math.MinInt64 {
		id++
	}
	return id
}

// IDs gives out session numbers. It is safe for concurrent use.
type IDs struct {
	next atomic.Int64
}

// NewIDs starts at FirstID(serverID, now).
func NewIDs(serverID, now int64) *IDs {
	var s IDs
	s.next.Store(FirstID(serverID, now))
	return &s
}

// Next gives a number that was not given before.
func (s *IDs) Next() int64 { return s.next.Add(1) - 1 }

// The constants of Java's linear congruential generator, from which the
// passwords of all servers of an ensemble come, and the number that Apache's
// servers mix in.
const (
	lcgMultiplier  = 0x5DEECE66D
	lcgIncrement   = 0xB
	lcgMask        = 1<<48 - 1
	passwordSecret = 0xB3415C00
)

// Password derives the password of a session from its number. No server keeps
// passwords: each derives the same, so that a client can go to any of them.
func Password(id int64) [proto.PasswordLen]byte {
	var p [proto.PasswordLen]byte
	seed := (uint64(id) ^ passwordSecret ^ lcgMultiplier) & lcgMask
	for i := 0; i < len(p); i += 4 {
		seed = (seed*lcgMultiplier + lcgIncrement) & lcgMask
		binary.LittleEndian.PutUint32(p[i:], uint32(seed>>16))
	}
	return p
}

// CheckPassword tells whether password is that of session id, in a time that
// does not depend on where the two differ. There is no session 0.
func CheckPassword(id int64, password []byte) bool {
	want := Password(id)
	return subtle.ConstantTimeCompare(want[:], password) == 1 && id != 0
}
