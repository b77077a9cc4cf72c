package config

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Errors of Membership.Change. They tell apart what Apache's server tells apart.
var (
	// ErrBadChange is for a change that is understood and cannot be (BadArguments).
	ErrBadChange = errors.New("the change of the members cannot be made")
	// ErrChangeText is for a change that cannot be read (MarshallingError).
	ErrChangeText = errors.New("the change of the members cannot be read")
)

// Change is what a reconfig request says: either Members, or Joining and Leaving. nil is what was not said.
type Change struct {
	// Joining are server lines, "server.N=host:port:port:role;port", separated by commas. A line of a member that is there
	// takes the place of the one before.
	Joining *string
	// Leaving are numbers of members, separated by commas. One that is not there is left out.
	Leaving *string
	// Members are the lines of the whole configuration, separated by commas or line ends.
	Members *string
}

// Change is the configuration after a change, with the same version. multi allows several addresses of a member,
// standalone is standaloneEnabled: then there must be two participants.
func (m Membership) Change(c Change, multi, standalone bool) (Membership, error) {
	for _, text := range []*string{c.Joining, c.Leaving, c.Members} {
		if text != nil && len(*text) > maxMembershipText {
			return Membership{}, fmt.Errorf("%w: %d bytes, want at most %d", ErrBadChange, len(*text), maxMembershipText)
		}
	}
	next, err := Membership{}, error(nil)
	if c.Members != nil {
		next, err = wholeMembership(*c.Members, multi, standalone)
	} else {
		next, err = m.step(c, multi)
	}
	if err != nil {
		return Membership{}, err
	}
	next.Version = m.Version
	least := 1
	if standalone {
		least = 2
	}
	if n := next.Count(Participant); n < least {
		return Membership{}, fmt.Errorf("%w: found %d participants, want at least %d", ErrBadChange, n, least)
	}
	if len(next.String()) > maxMembershipText {
		return Membership{}, fmt.Errorf("%w: the configuration has more than %d bytes", ErrBadChange, maxMembershipText)
	}
	return next, nil
}

// wholeMembership reads the lines of a whole configuration.
func wholeMembership(text string, multi, standalone bool) (Membership, error) {
	props, err := ParseProperties("new members", []byte(strings.ReplaceAll(text, ",", "\n")))
	if err != nil {
		return Membership{}, fmt.Errorf("%w: %w", ErrChangeText, err)
	}
	var scratch Config
	for _, p := range props {
		if err := addChangeKey(&scratch, p.Key, p.Value); err != nil {
			return Membership{}, err
		}
	}
	next, err := scratch.members.build(multi)
	if err != nil {
		return next, fmt.Errorf("%w: %w", ErrBadChange, err)
	}
	voters, observers := next.Count(Participant), next.Count(ObserverRole)
	switch {
	case voters == 0 && (observers > 0 || !standalone), voters == 1 && observers > 0 && standalone:
		return next, fmt.Errorf("%w: found %d participants and %d observers", ErrChangeText, voters, observers)
	}
	return next, nil
}

func addChangeKey(c *Config, key, value string) error {
	kind, suffix, _ := strings.Cut(key, ".")
	number := func() error {
		if _, err := strconv.ParseInt(suffix, 10, 64); err != nil {
			return fmt.Errorf("%w: found %q, want a number after the dot", ErrChangeText, key)
		}
		return nil
	}
	var err error
	switch {
	case kind == "server" && suffix != "":
		if err = number(); err == nil {
			err = checkMember(suffix, value)
		}
		if err == nil {
			err = addMember(c, suffix, value)
		}
		if err != nil && !errors.Is(err, ErrChangeText) && !errors.Is(err, ErrBadChange) {
			err = fmt.Errorf("%s: found %q, %w", key, value, err)
		}
	case strings.HasPrefix(kind, "group"):
		if err = number(); err == nil {
			err = unreadable(addGroup(c, suffix, value))
		}
	case strings.HasPrefix(kind, "weight"):
		if err = number(); err == nil {
			err = unreadable(addWeight(c, suffix, value))
		}
	case key == "version": // it gets a new one
		_, err = strconv.ParseInt(value, 16, 64)
		err = unreadable(err)
	default:
		err = fmt.Errorf("%w: found %q, want server.N, group.N or weight.N", ErrBadChange, key)
	}
	return asChange(err)
}

func unreadable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrChangeText, err)
}

// asChange makes a bad change of an error that is neither.
func asChange(err error) error {
	if err == nil || errors.Is(err, ErrBadChange) || errors.Is(err, ErrChangeText) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrBadChange, err)
}

// checkMember refuses what the members of an ensemble with Apache's servers could not read.
func checkMember(number, line string) error {
	if strings.Count(strings.TrimRight(line, ";"), ";") > 1 {
		return fmt.Errorf("%w: server.%s: found %q, want one client port", ErrBadChange, number, line)
	}
	for _, f := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(":;|", r) }) {
		if port, err := strconv.ParseInt(f, 10, 64); err == nil && (port < 0 || port > math.MaxUint16) && port <= math.MaxInt32 {
			return fmt.Errorf("%w: server.%s: found %q, want ports from 0 to %d", ErrChangeText, number, line, math.MaxUint16)
		}
	}
	return nil
}

// step takes members out, and then others in.
func (m Membership) step(c Change, multi bool) (Membership, error) {
	if m.Hierarchical() {
		return m, fmt.Errorf("%w: there are groups or weights, want the whole configuration", ErrBadChange)
	}
	next := Membership{Members: slices.Clone(m.Members)}
	for _, text := range listed(c.Leaving) {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return m, fmt.Errorf("%w: leaving: found %q, want the number of a member", ErrChangeText, text)
		}
		next.remove(id)
	}
	for _, text := range listed(c.Joining) {
		s, err := parseJoining(text, multi)
		if err != nil {
			return m, err
		}
		for _, o := range next.Members {
			if o.ID != s.ID && s.collides(o) {
				return m, fmt.Errorf("%w: server.%d: found %q, which has an address of server.%d", ErrBadChange, s.ID, text, o.ID)
			}
		}
		next.remove(s.ID)
		i, _ := slices.BinarySearchFunc(next.Members, s.ID, func(s Member, id int64) int { return cmp.Compare(s.ID, id) })
		next.Members = slices.Insert(next.Members, i, s)
	}
	return next, nil
}

func (m *Membership) remove(id int64) {
	m.Members = slices.DeleteFunc(m.Members, func(s Member) bool { return s.ID == id })
}

// listed are the items between commas that are not empty.
func listed(text *string) (items []string) {
	if text == nil {
		return nil
	}
	for item := range strings.SplitSeq(*text, ",") {
		if item = javaTrim(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// parseJoining reads the line of a member that joins. It must name a client port.
func parseJoining(text string, multi bool) (Member, error) {
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == '=' })
	if len(parts) != 2 {
		return Member{}, fmt.Errorf("%w: joining: found %q, want server.N=host:port:port;port", ErrBadChange, text)
	}
	name, line := javaTrim(parts[0]), javaTrim(parts[1])
	number := name[strings.LastIndexByte(name, '.')+1:]
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return Member{}, fmt.Errorf("%w: joining: found %q, want a number after the dot", ErrChangeText, text)
	}
	if err := checkMember(number, line); err != nil {
		return Member{}, err
	}
	s, err := ParseMember(id, line, multi)
	switch {
	case err != nil:
		return s, fmt.Errorf("%w: joining: found %q, %w", ErrBadChange, text, err)
	case id < 0 || !s.Client.Enabled:
		return s, fmt.Errorf("%w: joining: found %q, want a number of at least 0 and three ports", ErrBadChange, text)
	}
	return s, nil
}

// collides tells whether two members have an address in common. Addresses of all interfaces and of the machine itself
// may be those of several machines. Names are not looked up: that could take long, and come out otherwise elsewhere.
func (s Member) collides(o Member) bool {
	theirs := o.sockets()
	return slices.ContainsFunc(s.sockets(), func(a string) bool { return slices.Contains(theirs, a) })
}

func (s Member) sockets() (list []string) {
	add := func(host string, port int) {
		ip, err := netip.ParseAddr(host)
		if err == nil && (ip.IsUnspecified() || ip.IsLoopback()) || strings.EqualFold(host, "localhost") {
			return
		}
		list = append(list, strings.ToLower(bracketed(host))+":"+strconv.Itoa(port))
	}
	for _, a := range s.Addrs {
		add(a.Host, a.Quorum)
		add(a.Host, a.Election)
	}
	if s.Client.Enabled {
		add(s.Client.Host, s.Client.Port)
	}
	return list
}
