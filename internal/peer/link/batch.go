package link

import (
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
	q := Packet{Packet: wire.Packet{Type: p.Type, Zxid: p.Zxid}}
	if p.Data != nil {
		q.Data = b.keep(p.Data, ahead)
	}
	if p.Auth != nil {
		q.Auth = make([]wire.Identity, len(p.Auth))
		for i, id := range p.Auth {
			q.Auth[i] = wire.Identity{Scheme: strings.Clone(id.Scheme), ID: strings.Clone(id.ID)}
		}
	}
	b.packets = append(b.packets, q)
	b.bytes += len(p.Data)
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
