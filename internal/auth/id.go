package auth

import (
	"slices"
	"unicode/utf16"
)

// SchemeSuper is the scheme of identities that pass every check.
const SchemeSuper = "super"

// ID is one authenticated identity of a connection.
type ID struct {
	Scheme, ID string
}

// Add returns ids with add in it. It never changes the memory behind ids, so
// requests in flight keep the identities they were sent with.
//
// The result is in the order in which Apache's server lists the identities of
// a connection, which is the order of its hash table: clients see it in whoAmI
// and in lists that an "auth" entry expanded to.
func Add(ids []ID, add ...ID) []ID {
	for _, id := range add {
		if !slices.Contains(ids, id) {
			ids = insert(ids, id)
		}
	}
	return ids
}

func insert(ids []ID, id ID) []ID {
	size := tableSize(len(ids) + 1)
	out := make([]ID, 0, len(ids)+1)
	if size != tableSize(len(ids)) {
		out = append(append(out, ids...), id)
		slices.SortStableFunc(out, func(a, b ID) int {
			return int(a.bucket(size)) - int(b.bucket(size))
		})
		return out
	}
	mine := id.bucket(size)
	at := 0
	for at < len(ids) && ids[at].bucket(size) <= mine {
		at++
	}
	return append(append(append(out, ids[:at]...), id), ids[at:]...)
}

// tableSize is the number of buckets of a Java concurrent hash map that grew to
// n entries: 16, doubled when three quarters are used.
func tableSize(n int) uint32 {
	size := uint32(16)
	for n >= int(size-size/4) {
		size *= 2
	}
	return size
}

func (id ID) bucket(size uint32) uint32 {
	h := (37*17+javaHash(id.Scheme))*37 + javaHash(id.ID)
	return (h ^ h>>16) & (size - 1)
}

// javaHash is String.hashCode.
func javaHash(s string) uint32 {
	var h uint32
	for _, r := range s {
		if hi, lo := utf16.EncodeRune(r); hi != '\uFFFD' {
			h = (h*31+uint32(hi))*31 + uint32(lo)
			continue
		}
		h = h*31 + uint32(r)
	}
	return h
}
