package tree

import (
	"bytes"
	"slices"
	"strconv"
)

// Quota is the content of a quota's limits or of what is used. A field that is
// -1 is not set.
//
//	count=N,bytes=M
//	count=N,bytes=M=;byteHardLimit=X;countHardLimit=Y
//
// The second form is for readers older than hard limits, which stop at the
// second '='.
type Quota struct {
	Count, Bytes                  int64
	CountHardLimit, ByteHardLimit int64

	hasCountHard, hasByteHard bool
	others                    []quotaField // of a later version, sorted
}

type quotaField struct {
	key   string
	value int64
}

// ParseQuota reads the data of a quota's znode. Fields that make no sense, or
// are not there, are not set.
func ParseQuota(data []byte) Quota {
	q := Quota{Count: -1, Bytes: -1, CountHardLimit: -1, ByteHardLimit: -1}
	for _, field := range bytes.FieldsFunc(data, func(r rune) bool { return r == ',' || r == ';' }) {
		key, rest, ok := bytes.Cut(field, []byte{'='})
		if !ok {
			continue
		}
		text, _, _ := bytes.Cut(rest, []byte{'='})
		value := int64(-1)
		if len(text) > 0 {
			v, err := strconv.ParseInt(string(text), 10, 64)
			if err != nil {
				continue
			}
			value = v
		}
		q.set(string(key), value)
	}
	return q
}

func (q *Quota) set(key string, value int64) {
	switch key {
	case "count":
		q.Count = value
	case "bytes":
		q.Bytes = value
	case "countHardLimit":
		q.CountHardLimit, q.hasCountHard = value, true
	case "byteHardLimit":
		q.ByteHardLimit, q.hasByteHard = value, true
	default:
		i, found := slices.BinarySearchFunc(q.others, key, func(f quotaField, k string) int { return compare(f.key, k) })
		if found {
			q.others[i].value = value
		} else {
			q.others = slices.Insert(q.others, i, quotaField{key, value})
		}
	}
}

// Append appends the text that ParseQuota reads.
func (q *Quota) Append(b []byte) []byte {
	b = strconv.AppendInt(append(b, "count="...), q.Count, 10)
	b = strconv.AppendInt(append(b, ",bytes="...), q.Bytes, 10)
	more := slices.Clone(q.others)
	if q.hasCountHard || q.CountHardLimit != -1 {
		more = append(more, quotaField{"countHardLimit", q.CountHardLimit})
	}
	if q.hasByteHard || q.ByteHardLimit != -1 {
		more = append(more, quotaField{"byteHardLimit", q.ByteHardLimit})
	}
	if len(more) == 0 {
		return b
	}
	slices.SortFunc(more, func(x, y quotaField) int { return compare(x.key, y.key) })
	b = append(b, '=')
	for _, f := range more {
		b = append(append(append(b, ';'), f.key...), '=')
		b = strconv.AppendInt(b, f.value, 10)
	}
	return b
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
