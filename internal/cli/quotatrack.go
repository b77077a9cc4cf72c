package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// quotaKeys are the names of the limits by the options that set them.
var quotaKeys = map[string]string{"n": "count", "b": "bytes", "N": "countHardLimit", "B": "byteHardLimit"}

// quotaTrack is the content of a quota node: "count=N,bytes=M", or with hard
// limits "count=N,bytes=M=;byteHardLimit=X;countHardLimit=Y". -1 is no limit.
type quotaTrack struct{ values map[string]int64 }

func newLimits() quotaTrack {
	return quotaTrack{map[string]int64{"count": -1, "bytes": -1, "countHardLimit": -1, "byteHardLimit": -1}}
}

// parseTrack reads a quota node. What is not understood counts as absent.
func parseTrack(data []byte) quotaTrack {
	q := quotaTrack{map[string]int64{}}
	pairs := strings.FieldsFunc(string(data), func(r rune) bool { return r == ',' || r == ';' })
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		n, err := strconv.ParseInt(strings.TrimSuffix(value, "="), 10, 64)
		if err == nil {
			q.values[key] = n
		}
	}
	return q
}

func (q quotaTrack) get(key string) int64 {
	if n, ok := q.values[key]; ok {
		return n
	}
	return -1
}

func (q quotaTrack) set(key string, n int64) { q.values[key] = n }

// String is the node's content. The extra "=" makes old servers, which know no
// hard limits, pass over them.
func (q quotaTrack) String() string {
	s := fmt.Sprintf("count=%d,bytes=%d", q.get("count"), q.get("bytes"))
	var more []string
	for key, n := range q.values {
		if key != "count" && key != "bytes" {
			more = append(more, fmt.Sprintf("%s=%d", key, n))
		}
	}
	if len(more) == 0 {
		return s
	}
	slices.Sort(more)
	return s + "=;" + strings.Join(more, ";")
}
