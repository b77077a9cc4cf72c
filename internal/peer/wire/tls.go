package wire

// TLSPeek is how many bytes DetectTLS looks at, at most.
const TLSPeek = 5

// Kind is what the first bytes of a connection show it to be.
type Kind int

// The kinds of connections on one port.
const (
	// Undecided needs more bytes.
	Undecided Kind = iota
	Plain
	TLS
)

// DetectTLS tells TLS from the plain protocols by the first bytes that the one who dials sends. Nothing plain begins as a
// TLS record does: the first byte is 0xff (Hello), 0x5f (AuthPacket) or 0 (a packet's type, or a number before 3.5).
// With TLSPeek bytes it is decided, in most cases with one.
func DetectTLS(b []byte) Kind {
	const (
		firstContentType, lastContentType = 20, 24 // change cipher spec ... heartbeat
		major                             = 3      // SSL 3 to TLS 1.3
	)
	switch {
	case len(b) == 0:
		return Undecided
	case b[0] < firstContentType || b[0] > lastContentType:
		return Plain
	case len(b) == 1:
		return Undecided
	case b[1] != major:
		return Plain
	case len(b) < TLSPeek:
		return Undecided
	case b[3] == 0 && b[4] == 0: // an empty record begins no handshake
		return Plain
	}
	return TLS
}
