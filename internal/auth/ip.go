package auth

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// ipProvider is the scheme of addresses: every connection has its own from the
// start, and lists name addresses or networks.
type ipProvider struct{}

func (ipProvider) Scheme() string            { return "ip" }
func (ipProvider) Authenticated() bool       { return false }
func (ipProvider) UserName(id string) string { return id }

func (ipProvider) Authenticate(peer Peer, _ []byte) (Verdict, error) {
	return Verdict{IDs: []ID{{Scheme: "ip", ID: peer.host()}}, OK: true}, nil
}

func (ipProvider) Valid(expr string) bool {
	_, ok := parseNetwork(expr)
	return ok
}

func (ipProvider) Matcher(expr string) Matcher {
	n, ok := parseNetwork(expr)
	if !ok {
		return nil
	}
	return &n
}

func (p Peer) host() string {
	if p.Host != "" {
		return p.Host
	}
	return HostAddress(p.Addr.Addr())
}

// HostAddress writes an address as Java does: IPv6 in eight groups without
// leading zeros and without "::", an IPv4 address carried in IPv6 as IPv4, and
// the zone of a link-local address as the number of its interface.
func HostAddress(a netip.Addr) string {
	a = a.Unmap()
	if !a.Is6() {
		return a.String()
	}
	raw := a.As16()
	b := make([]byte, 0, 48)
	for i := 0; i < 16; i += 2 {
		if i > 0 {
			b = append(b, ':')
		}
		b = strconv.AppendUint(b, uint64(raw[i])<<8|uint64(raw[i+1]), 16)
	}
	if zone := a.Zone(); zone != "" {
		b = append(append(b, '%'), zoneNumber(zone)...)
	}
	return string(b)
}

func zoneNumber(zone string) string {
	if _, err := strconv.Atoi(zone); err == nil {
		return zone
	}
	if ifi, err := net.InterfaceByName(zone); err == nil {
		return strconv.Itoa(ifi.Index)
	}
	return zone
}

// ForwardedHost is the client's address as the first element of an
// X-Forwarded-For header names it; header may be empty, then there is none. It
// is for Peer.Host when IPAuthenticationProvider.usexforwardedfor is set.
func ForwardedHost(header string) string {
	for part := range strings.SplitSeq(header, ",") {
		if part != "" {
			return strings.Trim(part, javaBlank)
		}
	}
	return ""
}
