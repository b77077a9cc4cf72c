package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxMembershipText bounds the text of a membership, in bytes: more does not fit into a message of an election.
const maxMembershipText = 512 << 10

// ParseMembership reads what Membership.String writes, as members send it to each other. Several addresses of a member
// are allowed only with multi.
func ParseMembership(text string, multi bool) (Membership, error) {
	if len(text) > maxMembershipText {
		return Membership{}, fmt.Errorf("membership of %d bytes, want at most %d", len(text), maxMembershipText)
	}
	var scratch Config
	var errs []error
	for line := range strings.SplitSeq(text, "\n") {
		name, value, ok := strings.Cut(javaTrim(line), "=")
		switch {
		case name == "":
		case !ok:
			errs = append(errs, fmt.Errorf("membership: found %q, want name=value", line))
		default:
			errs = append(errs, addMembershipKey(&scratch, javaTrim(name), javaTrim(value)))
		}
	}
	m, err := scratch.members.build(multi)
	m.Version = scratch.members.version
	return m, errors.Join(append(errs, err)...)
}

func addMembershipKey(c *Config, name, value string) error {
	var err error
	kind, suffix, _ := strings.Cut(name, ".")
	switch kind {
	case "server":
		err = addMember(c, suffix, value)
	case "group":
		err = addGroup(c, suffix, value)
	case "weight":
		err = addWeight(c, suffix, value)
	case "version":
		var v uint64
		v, err = strconv.ParseUint(value, 16, 64)
		c.members.version = int64(v)
	} // what later servers may send is left out
	if err != nil {
		return fmt.Errorf("membership: %s: found %q, %w", name, value, err)
	}
	return nil
}
