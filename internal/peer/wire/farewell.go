package wire

import (
	"fmt"

	"github.com/quollhq/quoll/internal/jute"
)

// AppendSessions appends the body of FAREWELL.
func AppendSessions(b []byte, sessions []int64) []byte {
	b = jute.AppendInt(b, int32(len(sessions)))
	for _, id := range sessions {
		b = jute.AppendLong(b, id)
	}
	return b
}

// DecodeFarewell reads the sessions that FAREWELL names.
func DecodeFarewell(p *Packet) ([]int64, error) {
	if p.Type != Farewell {
		return nil, unexpected(p, Farewell)
	}
	d := jute.NewDecoder(p.Data)
	n := int(d.Int())
	if d.Err() == nil && 8*n != len(d.Rest()) {
		return nil, fmt.Errorf("%v: %w: %d sessions in %d bytes", p.Type, jute.ErrMalformed, n, len(p.Data))
	}
	var ids []int64
	if d.Err() == nil && n > 0 {
		ids = make([]int64, n)
		for i := range ids {
			ids[i] = d.Long()
		}
	}
	return ids, d.Err()
}
