// Package throttle holds the limits that keep clients from overrunning a
// server, with the meaning that Apache ZooKeeper gives them:
//
//	Tokens       how many sessions may be opened in a stretch of time
//	Connections  how many connections there may be, in all and from one address
//	Large        how many bytes of large requests may be in the server
//	Requests     how many requests may be worked on at a time
//
// Each is off by its zero options, and then costs a comparison. None reads a
// clock or makes its own random numbers: times are milliseconds of a clock that
// never goes back, handed in by the caller.
package throttle

import "net/netip"

// Options say what a Gate lets in.
type Options struct {
	Connections ConnectionOptions
	Tokens      TokenOptions
	Large       LargeOptions
	// LocalSessions tells that new sessions are local ones, which may weigh less.
	LocalSessions bool
	// Now is the time in milliseconds, Chance a number in [0,1), different with
	// each call. Both are called by many goroutines.
	Now    func() int64
	Chance func() float64
}

// Gate is what a listener asks about connections, sessions and large requests.
type Gate struct {
	connections *Connections
	tokens      *Tokens
	large       *Large
	local       bool
	now         func() int64
}

// NewGate returns a Gate that has let nobody in.
func NewGate(o Options) *Gate {
	return &Gate{
		connections: NewConnections(o.Connections),
		tokens:      NewTokens(o.Tokens, o.Chance, o.Now()),
		large:       NewLarge(o.Large),
		local:       o.LocalSessions,
		now:         o.Now,
	}
}

// Admit lets a connection in, or returns an ErrTooMany.
func (g *Gate) Admit(addr netip.Addr) error { return g.connections.Admit(addr) }

// Leave is for a connection that was admitted and is closed.
func (g *Gate) Leave(addr netip.Addr) { g.connections.Leave(addr) }

// Handshake lets a client open a session, or come back to the one it has
// (renew). If it does not, the connection has to be closed without a word.
func (g *Gate) Handshake(renew bool) bool {
	if g.tokens.Off() {
		return true
	}
	return g.tokens.Take(g.tokens.Weight(renew, g.local), g.now())
}

// TokenDeficit is how many tokens are missing in the bucket that Handshake
// takes from.
func (g *Gate) TokenDeficit() int { return g.tokens.Deficit() }

// DropChance is the probability with which Handshake refuses by chance.
func (g *Gate) DropChance() float64 { return g.tokens.DropChance() }

// Large takes a request of n bytes in. counted tells that it is a large one, to
// be given back by LargeDone; without ok there is no room for it.
func (g *Gate) Large(n int) (counted, ok bool) { return g.large.Take(n) }

// LargeRoom tells whether a request of n bytes could be taken in now. It is
// asked before memory is taken for the request.
func (g *Gate) LargeRoom(n int) bool { return g.large.Room(n) }

// LargeDone gives n bytes back that Large counted, in one call or in several.
func (g *Gate) LargeDone(n int) { g.large.Done(n) }

// LargeBytes is how many bytes of large requests are in the server.
func (g *Gate) LargeBytes() int64 { return g.large.Bytes() }
