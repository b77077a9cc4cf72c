package config

import (
	"net/netip"
	"strconv"
	"strings"
)

const serverWant = "host:port:port or host:port:port:role, several with | between them, then ;clientPort or ;host:clientPort if members tell their client ports"

// ParseMember reads the value of server.<id>. Several addresses are allowed
// only with multi.
func ParseMember(id int64, text string, multi bool) (Member, error) {
	m := Member{ID: id}
	parts := strings.Split(text, ";")
	if len(parts) > 3 {
		return m, wantError(serverWant)
	}
	addrs := strings.Split(parts[0], "|")
	if len(addrs) > 1 && !multi {
		return m, wantError("one address, or multiAddress.enabled=true")
	}
	for i, a := range addrs {
		addr, role, err := parsePeer(a)
		if err != nil {
			return m, err
		}
		if i > 0 && role != m.Role {
			return m, wantError("the same role with every address")
		}
		m.Addrs, m.Role = append(m.Addrs, addr), role
	}
	for i, dst := range []*Endpoint{&m.Client, &m.Secure} {
		if i+1 >= len(parts) || parts[i+1] == "" {
			continue
		}
		e, err := parseClient(parts[i+1])
		if err != nil {
			return m, err
		}
		*dst = e
	}
	return m, nil
}

func parsePeer(text string) (PeerAddr, Role, error) {
	host, rest, err := cutHost(text)
	if err != nil {
		return PeerAddr{}, 0, err
	}
	fields := strings.Split(rest, ":")
	if host == "" || len(fields) < 2 || len(fields) > 3 {
		return PeerAddr{}, 0, wantError(serverWant)
	}
	a := PeerAddr{Host: host}
	var ok1, ok2 bool
	a.Quorum, ok1 = parsePort(fields[0])
	a.Election, ok2 = parsePort(fields[1])
	if !ok1 || !ok2 {
		return a, 0, wantError("ports from 0 to 65535 in " + serverWant)
	}
	if a.Quorum == a.Election {
		return a, 0, wantError("two different ports, one for learners and one for elections")
	}
	role, err := parseRole(fields[2:])
	return a, role, err
}

func parseRole(fields []string) (Role, error) {
	if len(fields) == 0 {
		return Participant, nil
	}
	switch strings.ToLower(strings.TrimSpace(fields[0])) {
	case "participant":
		return Participant, nil
	case "observer":
		return ObserverRole, nil
	}
	return 0, wantError("participant or observer after the ports")
}

// parseClient reads "port" or "host:port".
func parseClient(text string) (Endpoint, error) {
	host, port := "0.0.0.0", text
	if strings.Contains(text, ":") {
		var err error
		if host, port, err = cutHost(text); err != nil {
			return Endpoint{}, err
		}
	}
	p, ok := parsePort(port)
	if !ok || host == "" {
		return Endpoint{}, wantError("a port or host:port after ;")
	}
	return Endpoint{Enabled: true, Host: host, Port: p}, nil
}

// cutHost takes the host, in brackets or up to the first colon, off text.
func cutHost(text string) (host, rest string, err error) {
	if !strings.HasPrefix(text, "[") {
		host, rest, _ = strings.Cut(text, ":")
		return host, rest, noBlanks(host)
	}
	host, rest, ok := strings.Cut(text[1:], "]")
	if rest, ok2 := strings.CutPrefix(rest, ":"); ok && ok2 {
		if _, err := netip.ParseAddr(host); err == nil {
			return host, rest, noBlanks(host) // a zone may be anything
		}
	}
	return "", "", wantError("an IPv6 address in brackets and a colon after it")
}

// noBlanks refuses a host with what is cut off, or ends a line, when the configuration is
// read by others.
func noBlanks(host string) error {
	if strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return wantError("a host without blanks and control characters")
	}
	return nil
}

func parsePort(s string) (int, bool) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 16)
	return int(n), err == nil
}
