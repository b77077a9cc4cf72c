package config

import (
	"cmp"
	"errors"
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
		return host, rest, nil
	}
	host, rest, ok := strings.Cut(text[1:], "]")
	if rest, ok2 := strings.CutPrefix(rest, ":"); ok && ok2 {
		if _, err := netip.ParseAddr(host); err == nil {
			return host, rest, nil
		}
	}
	return "", "", wantError("an IPv6 address in brackets and a colon after it")
}

func parsePort(s string) (int, bool) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 16)
	return int(n), err == nil
}

// memberTexts collects server.N, group.N and weight.N as they are read.
type memberTexts struct {
	servers map[int64]string
	groups  map[int64]string
	weights map[int64]int64
	version int64
}

func addMember(c *Config, suffix, value string) error {
	id, err := memberID(suffix)
	if err != nil {
		return err
	}
	// The addresses are read again once multiAddress.enabled is known.
	if _, err := ParseMember(id, value, true); err != nil {
		return err
	}
	c.members.servers = put(c.members.servers, id, value)
	return nil
}

func addGroup(c *Config, suffix, value string) error {
	id, err := memberID(suffix)
	if err != nil {
		return err
	}
	if _, err := parseIDs(value); err != nil {
		return err
	}
	c.members.groups = put(c.members.groups, id, value)
	return nil
}

func addWeight(c *Config, suffix, value string) error {
	id, err := memberID(suffix)
	if err != nil {
		return err
	}
	w, err := strconv.ParseInt(value, 10, 64)
	if err != nil || w < 0 {
		return wantError("a whole number, at least 0")
	}
	c.members.weights = put(c.members.weights, id, w)
	return nil
}

func put[V any](m map[int64]V, id int64, v V) map[int64]V {
	if m == nil {
		m = make(map[int64]V)
	}
	m[id] = v
	return m
}

func memberID(suffix string) (int64, error) {
	id, err := strconv.ParseInt(suffix, 10, 64)
	if err != nil || id < 0 {
		return 0, wantError("a whole number after the dot, at least 0")
	}
	return id, nil
}

func parseIDs(text string) ([]int64, error) {
	var ids []int64
	for s := range strings.SplitSeq(text, ":") {
		id, err := memberID(s)
		if err != nil {
			return nil, wantError("server ids separated by colons")
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// build makes the membership out of the texts.
func (t *memberTexts) build(multi bool) (Membership, error) {
	var m Membership
	var errs []error
	for _, id := range sortedKeys(t.servers) {
		s, err := ParseMember(id, t.servers[id], multi)
		if err != nil {
			errs = append(errs, fmt.Errorf("server.%d: found %q, %w", id, t.servers[id], err))
			continue
		}
		m.Members = append(m.Members, s)
	}
	if len(t.groups) == 0 && len(t.weights) == 0 {
		return m, errors.Join(errs...)
	}
	grouped := make(map[int64]int64)
	for _, gid := range sortedKeys(t.groups) {
		ids, _ := parseIDs(t.groups[gid])
		for _, id := range ids {
			if other, dup := grouped[id]; dup {
				errs = append(errs, fmt.Errorf("server %d is in group.%d and in group.%d, want it in one", id, other, gid))
			}
			grouped[id] = gid
		}
		m.Groups = append(m.Groups, Group{ID: gid, Members: ids})
	}
	m.Weights = make(map[int64]int64, len(t.weights))
	for id, w := range t.weights {
		m.Weights[id] = w
	}
	for _, s := range m.Members {
		if s.Role != Participant {
			continue
		}
		if _, ok := grouped[s.ID]; !ok {
			errs = append(errs, fmt.Errorf("server.%d is in no group, want every participant in one when there are groups or weights", s.ID))
		}
		if _, ok := m.Weights[s.ID]; !ok {
			m.Weights[s.ID] = 1
		}
	}
	for _, id := range sortedKeys(grouped) {
		if _, ok := m.Weights[id]; !ok {
			errs = append(errs, fmt.Errorf("group.%d names server %d, want a participant (server.%d) or a weight for it", grouped[id], id, id))
		}
	}
	return m, errors.Join(errs...)
}

func sortedKeys[V any](m map[int64]V) []int64 {
	ids := make([]int64, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
