package auth

import "strings"

// address is an IPv4 (4 bytes used) or IPv6 (16) address.
type address struct {
	bytes [16]byte
	len   int
}

// network is an address whose bits behind the prefix are zero.
type network struct {
	addr address
	bits int
}

// Match tells whether id is an address in n. IPv4 and IPv6 never match.
func (n *network) Match(id string) bool {
	a, ok := parseAddress(id)
	if !ok || a.len != n.addr.len {
		return false
	}
	a.mask(n.bits)
	return a == n.addr
}

// parseNetwork reads an address or, with a slash, a prefix in bits. Bits behind
// the prefix may be set; they do not count.
func parseNetwork(expr string) (network, bool) {
	host, prefix, found := strings.Cut(expr, "/")
	a, ok := parseAddress(host)
	if !ok {
		return network{}, false
	}
	bits := a.len * 8
	if found {
		n, ok := javaInt(prefix, 10)
		if !ok || n < 0 || n > bits {
			return network{}, false
		}
		bits = n
	}
	a.mask(bits)
	return network{addr: a, bits: bits}, true
}

// mask clears the bits behind the first bits.
func (a *address) mask(bits int) {
	for i := bits / 8; i < a.len; i++ {
		if i == bits/8 {
			a.bytes[i] &= ^byte(1<<(8-bits%8) - 1)
		} else {
			a.bytes[i] = 0
		}
	}
}

// parseAddress reads what Apache's server reads: a colon makes it IPv6, else
// four decimal numbers. The forms are its own, not those of netip: groups may
// bear a sign, and IPv4 inside IPv6 and zones are unknown.
func parseAddress(s string) (address, bool) {
	if strings.IndexByte(s, ':') >= 0 {
		return parseV6(s)
	}
	return parseV4(s)
}

func parseV4(s string) (a address, ok bool) {
	for i := range 4 {
		part := s
		if i < 3 {
			dot := strings.IndexByte(s, '.')
			if dot < 0 {
				return a, false
			}
			part, s = s[:dot], s[dot+1:]
		}
		v, ok := javaInt(part, 10)
		if !ok || v < 0 || v > 255 {
			return a, false
		}
		a.bytes[i] = byte(v)
	}
	a.len = 4
	return a, true
}

func parseV6(s string) (a address, ok bool) {
	a.len = 16
	head, tail, compressed := strings.Cut(s, "::")
	if !compressed {
		n, ok := a.groups(0, head)
		return a, ok && n == 8
	}
	if strings.Contains(tail, "::") {
		return a, false
	}
	before, after := countGroups(head), countGroups(tail)
	if before+after >= 8 {
		return a, false
	}
	_, ok1 := a.groups(0, head)
	_, ok2 := a.groups(16-2*after, tail)
	return a, ok1 && ok2
}

func countGroups(s string) int {
	if s == "" {
		return 0
	}
	return strings.Count(s, ":") + 1
}

// groups fills in the colon separated groups of s from byte off on and counts
// them. An empty s has none.
func (a *address) groups(off int, s string) (n int, ok bool) {
	for more := s != ""; more; n++ {
		var group string
		group, s, more = strings.Cut(s, ":")
		if group == "" || len(group) > 4 || off+2 > 16 {
			return n, false
		}
		v, ok := javaInt(group, 16)
		if !ok {
			return n, false
		}
		a.bytes[off], a.bytes[off+1] = byte(v>>8), byte(v)
		off += 2
	}
	return n, true
}

// javaInt is Integer.parseInt over ASCII digits: one sign, at least one digit,
// 32 bits. It does not allocate, not even on failure.
func javaInt(s string, radix int) (int, bool) {
	neg := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		neg, s = s[0] == '-', s[1:]
	}
	if s == "" {
		return 0, false
	}
	v := int64(0)
	for i := range len(s) {
		d := digit(s[i])
		if d >= radix {
			return 0, false
		}
		if v = v*int64(radix) + int64(d); v > 1<<31 {
			return 0, false
		}
	}
	if neg {
		return int(-v), true
	}
	return int(v), v < 1<<31
}

// digit is the value of a digit, 99 for anything else.
func digit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'Z':
		return int(c-'A') + 10
	}
	return 99
}
