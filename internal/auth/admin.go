package auth

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUnauthenticated refuses an admin request whose client proved nothing.
var ErrUnauthenticated = errors.New("not authenticated")

// AuthenticateAdmin judges the Authorization header of an admin request, a
// scheme and, where the scheme has some, its data after a blank. What the client
// may do then is the matter of an access control list.
func (r *Registry) AuthenticateAdmin(header string, peer Peer) ([]ID, error) {
	parts := strings.Split(strings.TrimRight(header, " "), " ")
	if len(parts) > 2 {
		return nil, fmt.Errorf("%w: want a scheme and its data", ErrUnauthenticated)
	}
	p := r.providers[parts[0]]
	if p == nil {
		return nil, fmt.Errorf("%w: no authentication provider for scheme %q", ErrUnauthenticated, parts[0])
	}
	var data []byte
	if len(parts) == 2 {
		data = []byte(parts[1])
	}
	v, err := judge(p, peer, data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnauthenticated, err)
	}
	if !v.OK || len(v.IDs) == 0 {
		return nil, fmt.Errorf("%w: nothing proven by scheme %q", ErrUnauthenticated, parts[0])
	}
	return v.IDs, nil
}
