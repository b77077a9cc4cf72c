package wire

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/quollhq/quoll/internal/jute"
)

// Versions of Hello.
const (
	// HelloLegacy is a Hello before 3.5: the number alone.
	HelloLegacy int64 = 0
	// HelloOneAddress has the sender's election address; since 3.5.
	HelloOneAddress int64 = -65536
	// HelloAddresses has all the sender's election addresses; since 3.6, and sent only where servers are allowed to
	// have several, since older ones refuse it.
	HelloAddresses int64 = -65535
)

// AnonymousSID is what an observer without a number says in its Hello.
const AnonymousSID = math.MaxInt64

// maxAddresses bounds the addresses of a Hello, in bytes.
const maxAddresses = 2048

// Address is where a member listens. The host is a name or a literal, without brackets.
type Address struct {
	Host string
	Port uint16
}

// String is host:port, with brackets around an IPv6 literal.
func (a Address) String() string { return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port))) }

// Hello is what the one who dials says first on an election connection.
type Hello struct {
	Version int64
	SID     int64
	// Addresses are the sender's election addresses, so that a member it is unknown to can dial back. Wildcards are
	// left out.
	Addresses []Address
}

// AppendHello appends h. It must leave in one piece: Apache's servers read the addresses with a single read and give up
// if that does not bring all of them. HelloOneAddress takes the first address only.
func AppendHello(b []byte, h Hello) []byte {
	if h.Version == HelloLegacy {
		return jute.AppendLong(b, h.SID)
	}
	b = jute.AppendLong(b, h.Version)
	b = jute.AppendLong(b, h.SID)
	at := len(b)
	b = jute.AppendInt(b, 0)
	for i, a := range h.Addresses {
		if i > 0 && h.Version == HelloOneAddress {
			break
		}
		if i > 0 {
			b = append(b, '|')
		}
		b = append(b, a.String()...)
	}
	jute.PutInt(b, at, int32(len(b)-at-4))
	return b
}

// ReadHello reads a Hello of any version, and nothing beyond it.
func ReadHello(r io.Reader) (Hello, error) {
	var head [8 + 8 + 4]byte
	if _, err := io.ReadFull(r, head[:8]); err != nil {
		return Hello{}, fmt.Errorf("hello: %w", err)
	}
	first := int64(binary.BigEndian.Uint64(head[:]))
	if first >= 0 {
		return Hello{Version: HelloLegacy, SID: first}, nil
	}
	if first != HelloOneAddress && first != HelloAddresses {
		return Hello{}, fmt.Errorf("hello: %w: protocol version %d", jute.ErrMalformed, first)
	}
	if _, err := io.ReadFull(r, head[8:]); err != nil {
		return Hello{}, fmt.Errorf("hello: %w", noEOF(err))
	}
	h := Hello{Version: first, SID: int64(binary.BigEndian.Uint64(head[8:]))}
	n := int32(binary.BigEndian.Uint32(head[16:]))
	if n <= 0 || n > maxAddresses {
		return h, fmt.Errorf("hello of server %d: %w: %d bytes of addresses, want 1 to %d", h.SID, jute.ErrMalformed, n, maxAddresses)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return h, fmt.Errorf("hello of server %d: %w", h.SID, noEOF(err))
	}
	var err error
	if h.Addresses, err = parseAddresses(string(text)); err != nil {
		return h, fmt.Errorf("hello of server %d: %w", h.SID, err)
	}
	return h, nil
}

// parseAddresses takes both versions' addresses, as Apache's servers do.
func parseAddresses(text string) ([]Address, error) {
	var addresses []Address
	for part := range strings.SplitSeq(strings.TrimRight(text, "|"), "|") {
		a, err := parseAddress(part)
		if err != nil {
			return nil, err
		}
		if ip, err := netip.ParseAddr(a.Host); err == nil && ip.IsUnspecified() {
			continue // says nothing about where the sender is
		}
		addresses = append(addresses, a)
	}
	return addresses, nil
}

func parseAddress(s string) (Address, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return Address{}, fmt.Errorf("%w: address %q, want host:port", jute.ErrMalformed, s)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return Address{}, fmt.Errorf("%w: address %q: port %q", jute.ErrMalformed, s, port)
	}
	return Address{Host: host, Port: uint16(n)}, nil
}

// KeepsConnection is the rule by which two members end up with one connection: it stays if the larger number has
// dialled it. A member that is dialled by a smaller one closes the connection and dials itself.
func KeepsConnection(dialler, acceptor int64) bool { return dialler > acceptor }
