package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Role is what a member of an ensemble does.
type Role int

// The roles.
const (
	Participant Role = iota
	ObserverRole
)

// String returns the role as server.N has it.
func (r Role) String() string {
	if r == ObserverRole {
		return "observer"
	}
	return "participant"
}

// PeerAddr is one address of a member.
type PeerAddr struct {
	// Host is a name or an address without brackets.
	Host string
	// Quorum is the port that learners connect to, Election the port of elections.
	Quorum, Election int
}

// Member is one server.N.
type Member struct {
	ID    int64
	Addrs []PeerAddr
	Role  Role
	// Client and Secure are the client ports that the line names.
	Client, Secure Endpoint
}

// Group is one group.N.
type Group struct {
	ID      int64
	Members []int64
}

// Membership is who belongs to an ensemble, in the order of the ids.
type Membership struct {
	// Version of the configuration; the zxid of the reconfiguration that made it.
	Version int64
	Members []Member
	Groups  []Group
	// Weights by member; a participant of a group without one has 1.
	Weights map[int64]int64
}

// Hierarchical tells whether quorums are counted by groups.
func (m Membership) Hierarchical() bool { return len(m.Groups) > 0 || len(m.Weights) > 0 }

// weightless tells whether no participant's vote counts.
func (m Membership) weightless() bool {
	return !slices.ContainsFunc(m.Members, func(s Member) bool { return s.Role == Participant && m.Weights[s.ID] > 0 })
}

// Count returns how many members have the role.
func (m Membership) Count(role Role) int {
	n := 0
	for _, s := range m.Members {
		if s.Role == role {
			n++
		}
	}
	return n
}

// numbers lists the members.
func (m Membership) numbers() string {
	var list []string
	for _, s := range m.Members {
		list = append(list, fmt.Sprintf("server.%d", s.ID))
	}
	return strings.Join(list, ", ")
}

// Find returns the member with the id.
func (m Membership) Find(id int64) (Member, bool) {
	i, ok := slices.BinarySearchFunc(m.Members, id, func(s Member, id int64) int { return cmp.Compare(s.ID, id) })
	if !ok {
		return Member{}, false
	}
	return m.Members[i], true
}

// String returns the configuration as /zookeeper/config of an ensemble and
// the election protocol carry it: a line per key, the version in hexadecimal
// at the end without a line end.
func (m Membership) String() string {
	var b strings.Builder
	for _, s := range m.Members {
		fmt.Fprintf(&b, "server.%d=%s\n", s.ID, s)
	}
	for _, g := range m.Groups {
		ids := make([]string, len(g.Members))
		for i, id := range g.Members {
			ids[i] = strconv.FormatInt(id, 10)
		}
		fmt.Fprintf(&b, "group.%d=%s\n", g.ID, strings.Join(ids, ":"))
	}
	if m.Hierarchical() {
		for _, id := range sortedKeys(m.Weights) {
			fmt.Fprintf(&b, "weight.%d=%d\n", id, m.Weights[id])
		}
	}
	b.WriteString("version=" + strconv.FormatUint(uint64(m.Version), 16))
	return b.String()
}

// String returns the member as the value of server.N.
func (s Member) String() string {
	addrs := slices.Clone(s.Addrs)
	slices.SortStableFunc(addrs, func(a, b PeerAddr) int { return cmp.Compare(a.Host, b.Host) })
	parts := make([]string, len(addrs))
	for i, a := range addrs {
		parts[i] = fmt.Sprintf("%s:%d:%d", bracketed(a.Host), a.Quorum, a.Election)
	}
	text := strings.Join(parts, "|") + ":" + s.Role.String()
	if s.Client.Enabled || s.Secure.Enabled {
		text += ";" + clientText(s.Client)
	}
	if s.Secure.Enabled {
		text += ";" + clientText(s.Secure)
	}
	return text
}

func clientText(e Endpoint) string {
	if !e.Enabled {
		return ""
	}
	return bracketed(e.Host) + ":" + strconv.Itoa(e.Port)
}

// bracketed writes a host as Java does: IPv6 addresses with all their groups,
// in brackets. Members compare these texts.
func bracketed(host string) string {
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		host = javaAddr(a)
	}
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

func javaAddr(a netip.Addr) string {
	if a.Is4In6() {
		return a.Unmap().String()
	}
	b := a.As16()
	groups := make([]string, 8)
	for i := range groups {
		groups[i] = strconv.FormatUint(uint64(b[2*i])<<8|uint64(b[2*i+1]), 16)
	}
	text := strings.Join(groups, ":")
	if z := a.Zone(); z != "" {
		text += "%" + z
	}
	return text
}
