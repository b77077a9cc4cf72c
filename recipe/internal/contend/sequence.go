package contend

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/quollhq/quoll/client"
)

// Number is what the server has appended to a contender's name. It counts up,
// and after the largest it goes on with the smallest.
type Number int32

// Before tells whether a was given before b. It is right as long as fewer than
// 2^31 contenders came in between.
func (a Number) Before(b Number) bool { return a.until(b) > 0 }

// until counts from a to b, around the end of the numbers if that is shorter.
func (a Number) until(b Number) int32 { return int32(uint32(b) - uint32(a)) }

// numberWidth is the width that servers fill with zeroes, the sign included.
const numberWidth = 10

// ParseNumber reads the number at the end of a name, whatever comes before it.
func ParseNumber(name string) (Number, bool) {
	_, n, ok := Cut(name)
	return n, ok
}

// Cut splits a name into prefix and number. A minus sign belongs to the number
// if what it follows ends a prefix by itself: "x--1000000000" and
// "x__lock__-1000000000" have a negative number, "x-1000000000" has not.
func Cut(name string) (prefix string, n Number, ok bool) {
	start := len(strings.TrimRight(name, "0123456789"))
	start = max(start, len(name)-numberWidth)
	digits := len(name) - start
	if start >= 2 && name[start-1] == '-' && (name[start-2] == '-' || name[start-2] == '_') && digits >= numberWidth-1 {
		start--
	} else if digits < numberWidth {
		return name, 0, false
	}
	v, err := strconv.ParseInt(name[start:], 10, 32)
	if err != nil || v == 0 && name[start] == '-' { // no server writes that
		return name, 0, false
	}
	return name[:start], Number(v), true
}

// Entry is one child of a path that is contended for.
type Entry struct {
	Name   string
	Number Number
	// Shared tells that it excludes no other shared one: the reader of a
	// read-write lock.
	Shared bool
}

// isShared tells by what comes before the number whether it is a reader:
// Curator's, kazoo's, aiozk's.
func isShared(prefix string) bool {
	return strings.HasSuffix(prefix, "__READ__") || strings.HasSuffix(prefix, "__rlock__") || strings.HasPrefix(prefix, "read-")
}

// OrderError is the failure to tell a contender's place: nothing can exclude
// what it cannot order. It is [client.ErrBadArguments].
type OrderError struct{ Path string }

// Error names the node.
func (e *OrderError) Error() string {
	return fmt.Sprintf("%s: the name does not end with a sequence number, so its place among the contenders cannot be told", e.Path)
}

// Is makes an OrderError match [client.ErrBadArguments].
func (e *OrderError) Is(target error) bool { return target == error(client.ErrBadArguments) }

// Order reads the names of all children of path and sorts them by number.
func Order(path string, names []string) ([]Entry, error) {
	entries := make([]Entry, len(names))
	for i, name := range names {
		prefix, n, ok := Cut(name)
		if !ok {
			return nil, &OrderError{client.Join(path, name)}
		}
		entries[i] = Entry{name, n, isShared(prefix)}
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(int(b.Number.until(a.Number)), cmp.Compare(a.Name, b.Name))
	})
	return entries, nil
}
