package auth

import (
	"errors"
	"log/slog"
)

// keyProvider is Apache's sample of a scheme that consults the tree: whoever
// names a multiple of the number in the node /key is authenticated, as that
// number. Without the node everybody is.
type keyProvider struct {
	key func() ([]byte, error)
	log *slog.Logger
}

var errWrongKey = errors.New("not a multiple of the key")

func (keyProvider) Scheme() string            { return "key" }
func (keyProvider) Authenticated() bool       { return true }
func (keyProvider) Valid(string) bool         { return true }
func (keyProvider) Matcher(e string) Matcher  { return exact(e) }
func (keyProvider) UserName(id string) string { return id }

func (p keyProvider) Authenticate(_ Peer, data []byte) (Verdict, error) {
	if data == nil {
		return Verdict{}, errNullData
	}
	var key []byte
	if p.key != nil {
		k, err := p.key()
		if err != nil {
			return Verdict{}, err
		}
		key = k
	}
	if key != nil && !multiple(key, data) {
		return Verdict{}, errWrongKey
	}
	// As in the sample, the identity stays empty even when a key was matched.
	return Verdict{IDs: []ID{{Scheme: "key"}}, OK: true}, nil
}

func multiple(key, data []byte) bool {
	k, ok1 := javaInt(string(key), 10)
	d, ok2 := javaInt(string(data), 10)
	return ok1 && ok2 && (k == 0 || d%k == 0)
}
