// Package kerberos reads principal names and maps them to local user names by
// auth_to_local rules, as Apache ZooKeeper's servers do.
package kerberos

import (
	"errors"
	"fmt"
	"strings"
)

// ErrMalformed marks a name that is no principal's.
var ErrMalformed = errors.New("malformed kerberos name")

// Name is a principal: service/host@realm, where host and realm may be missing.
type Name struct {
	Service string
	// Host is the second component; HasHost tells an empty one from none.
	Host    string
	HasHost bool
	// Realm is what follows the at sign; HasRealm tells an empty one from none.
	Realm    string
	HasRealm bool
}

// ParseName reads a principal of one or two components with a realm. A string
// without at sign is a simple name as a whole, slashes included.
func ParseName(s string) (Name, error) {
	name, realm, hasRealm := strings.Cut(s, "@")
	if !hasRealm {
		return Name{Service: s}, nil
	}
	service, host, hasHost := strings.Cut(name, "/")
	if strings.ContainsAny(realm, "/@") || strings.Contains(host, "/") {
		return Name{}, fmt.Errorf("%w: %q", ErrMalformed, s)
	}
	return Name{Service: service, Host: host, HasHost: hasHost, Realm: realm, HasRealm: true}, nil
}

// String puts the name together again.
func (n Name) String() string {
	s := n.Service
	if n.HasHost {
		s += "/" + n.Host
	}
	if n.HasRealm {
		s += "@" + n.Realm
	}
	return s
}
