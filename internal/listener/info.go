package listener

import (
	"net/netip"
	"slices"

	"github.com/quollhq/quoll/internal/request"
)

// ConnInfo describes a connection, with or without a session.
type ConnInfo struct {
	Addr   netip.AddrPort
	Secure bool // encrypted
	// Word tells that a four-letter word came in instead of a handshake.
	Word bool
	request.ClientView
}

// Conns are the connections, oldest first.
func (l *Listener) Conns() []ConnInfo {
	conns := l.list()
	infos := make([]ConnInfo, len(conns))
	for i, c := range conns {
		infos[i] = ConnInfo{Addr: c.addr, Secure: c.encrypted.Load(), Word: c.word.Load(), ClientView: c.View()}
	}
	return infos
}

// list is the connections, oldest first.
func (l *Listener) list() []*conn {
	l.mu.Lock()
	conns := make([]*conn, 0, len(l.conns))
	for c := range l.conns {
		conns = append(conns, c)
	}
	l.mu.Unlock()
	slices.SortFunc(conns, func(a, b *conn) int { return int(a.serial - b.serial) })
	return conns
}

// ResetStats starts the statistics of all connections anew.
func (l *Listener) ResetStats() {
	for _, c := range l.list() {
		c.ResetStats()
	}
}

// Shed closes those connections, of the encrypted or the other ones, that pick
// says yes to, and tells how many they were.
func (l *Listener) Shed(secure bool, reason string, pick func() bool) int {
	closed := 0
	for _, c := range l.list() {
		if c.encrypted.Load() == secure && pick() {
			c.Close(reason)
			closed++
		}
	}
	return closed
}

// CloseAll ends all connections that have a session, or have asked for one;
// their clients come back and see whether it still exists.
func (l *Listener) CloseAll(reason string) {
	l.CloseBut(reason, func(*request.Client) bool { return false })
}

// CloseBut is CloseAll without those that keep says yes to. It tells how many these
// are.
func (l *Listener) CloseBut(reason string, keep func(*request.Client) bool) (kept int) {
	for _, c := range l.list() {
		switch {
		case !c.asked.Load():
		case keep(&c.Client):
			kept++
		default:
			c.Close(reason)
		}
	}
	return kept
}

// Handshakes is the number of TLS handshakes under way.
func (l *Listener) Handshakes() int64 { return l.handshakes.Load() }
