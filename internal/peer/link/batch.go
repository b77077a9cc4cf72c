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

// batch copies packets out of a reader's buffer, which is used again.
type batch struct {
	packets []Packet
	arena   []byte // has the packets' data; what is in use is never moved
	bytes   int
}

// add copies p. ahead is how many bytes have arrived behind it, so that all of them find room in one piece of memory.
func (b *batch) add(p *wire.Packet, ahead int) {
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
	q.Type, q.Zxid = p.Type, p.Zxid
	if p.Data != nil {
		q.Data = b.keep(p.Data, ahead)
	}
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

func (b *batch) keep(data []byte, ahead int) []byte {
	if cap(b.arena)-len(b.arena) < len(data) || b.arena == nil {
		b.arena = make([]byte, 0, len(data)+min(ahead, batchBytes))
	}
	from := len(b.arena)
	b.arena = append(b.arena, data...)
	return b.arena[from:len(b.arena):len(b.arena)]
}

func (b *batch) full() bool { return b.bytes >= batchBytes || len(b.packets) >= batchPackets }
