package link

import (
	"slices"
	"strings"

	"github.com/quollhq/quoll/internal/peer/wire"
)

const (
	// batchBytes and batchPackets end a batch. A single packet may be larger.
	batchBytes   = 256 << 10
	batchPackets = 1024
)

// batch takes packets out of a reader's buffer, which is used again.
type batch struct {
	packets []Packet
	bytes   int
}

// add copies p but its data.
func (b *batch) add(p *wire.Packet) {
	var last *Packet
	if n := len(b.packets); n > 0 {
		last = &b.packets[n-1]
		if last.goesOn(p) {
			last.Zxid++
			last.Run++
			return
		}
	}
	b.packets = append(b.packets, Packet{})
	q := &b.packets[len(b.packets)-1]
	q.Type, q.Zxid, q.Data = p.Type, p.Zxid, p.Data
	switch {
	case p.Auth == nil:
	case last != nil && last.Auth != nil && slices.Equal(p.Auth, last.Auth): // of the same client, mostly
		q.Auth = last.Auth
	default:
		q.Auth = make([]wire.Identity, len(p.Auth))
		for i, id := range p.Auth {
			q.Auth[i] = wire.Identity{Scheme: strings.Clone(id.Scheme), ID: strings.Clone(id.ID)}
		}
	}
	b.bytes += len(p.Data)
}

// goesOn tells whether p can be added to a run that ends with q. That a whole epoch is acknowledged is a word of its own.
func (q *Packet) goesOn(p *wire.Packet) bool {
	return (p.Type == wire.Commit || p.Type == wire.Ack) && q.Type == p.Type && p.Zxid == q.Zxid+1 &&
		uint32(q.Zxid) != 0 && uint32(p.Zxid) != 0 && p.Data == nil && p.Auth == nil && q.Data == nil && q.Auth == nil
}

func (b *batch) full() bool { return b.bytes >= batchBytes || len(b.packets) >= batchPackets }
