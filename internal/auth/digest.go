package auth

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strings"

	"github.com/quollhq/quoll/internal/javatext"
)

// digestProvider is the scheme of user names and passwords: an identity is
// "user:hash", the hash being over "user:password".
type digestProvider struct {
	newHash func() hash.Hash
	super   string
}

// errNullData refuses an auth packet with a null buffer.
var errNullData = errors.New("no authentication data")

// digestHashes are the hashes by their Java names.
var digestHashes = map[string]func() hash.Hash{
	"MD5": md5.New,
	"SHA": sha1.New, "SHA1": sha1.New, "SHA-1": sha1.New,
	"SHA-224": sha256.New224, "SHA224": sha256.New224,
	"SHA-256": sha256.New, "SHA256": sha256.New,
	"SHA-384": sha512.New384, "SHA384": sha512.New384,
	"SHA-512": sha512.New, "SHA512": sha512.New,
	"SHA-512/224": sha512.New512_224, "SHA512/224": sha512.New512_224,
	"SHA-512/256": sha512.New512_256, "SHA512/256": sha512.New512_256,
	"SHA3-224": func() hash.Hash { return sha3.New224() },
	"SHA3-256": func() hash.Hash { return sha3.New256() },
	"SHA3-384": func() hash.Hash { return sha3.New384() },
	"SHA3-512": func() hash.Hash { return sha3.New512() },
}

func newDigest(o DigestOptions) (*digestProvider, error) {
	newHash, err := digestHash(o.Algorithm)
	if err != nil {
		return nil, err
	}
	return &digestProvider{newHash: newHash, super: o.Super}, nil
}

func digestHash(algorithm string) (func() hash.Hash, error) {
	if algorithm == "" {
		algorithm = "SHA1"
	}
	h := digestHashes[strings.ToUpper(algorithm)]
	if h == nil {
		return nil, fmt.Errorf("DigestAuthenticationProvider.digestAlg: hash %q is not supported; use SHA1, SHA-256, SHA-512 or SHA3-256", algorithm)
	}
	return h, nil
}

// GenerateDigest is the identity that idPassword, "user:password", proves:
// "user:" and the base64 of its hash. It is what lists and the setting
// superDigest hold. algorithm is as in DigestOptions.
func GenerateDigest(idPassword, algorithm string) (string, error) {
	newHash, err := digestHash(algorithm)
	if err != nil {
		return "", err
	}
	return digestID(newHash(), idPassword), nil
}

func digestID(h hash.Hash, idPassword string) string {
	h.Write([]byte(idPassword))
	user, _, _ := strings.Cut(idPassword, ":")
	return user + ":" + base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func (*digestProvider) Scheme() string           { return "digest" }
func (*digestProvider) Authenticated() bool      { return true }
func (*digestProvider) Matcher(e string) Matcher { return exact(e) }

func (p *digestProvider) Authenticate(_ Peer, data []byte) (Verdict, error) {
	if data == nil {
		return Verdict{}, errNullData
	}
	id := digestID(p.newHash(), javatext.DecodeUTF8(data))
	v := Verdict{OK: true}
	if id == p.super {
		v.IDs = append(v.IDs, ID{Scheme: SchemeSuper})
	}
	v.IDs = append(v.IDs, ID{Scheme: "digest", ID: id})
	return v, nil
}

// Valid wants exactly two parts around colons, where trailing empty parts do
// not count: "user:hash", ":hash" and "user:hash:" are valid, "user:" is not.
func (*digestProvider) Valid(expr string) bool {
	user, rest, found := strings.Cut(strings.TrimRight(expr, ":"), ":")
	if !found {
		return false
	}
	return !strings.Contains(rest, ":") && (user != "" || rest != "")
}

func (*digestProvider) UserName(id string) string {
	user, _, _ := strings.Cut(id, ":")
	return user
}
