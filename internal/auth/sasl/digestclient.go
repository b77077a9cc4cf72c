package sasl

import (
	"crypto/subtle"
	"strings"
)

// DigestClientConfig configures the initiating side of DIGEST-MD5.
type DigestClientConfig struct {
	User, Password string
	// AuthzID is who to be taken for; empty leaves it to the server.
	AuthzID string
	// Service and Host name the server; empty means ClientService and
	// ClientDigestHost.
	Service, Host string
}

// NewDigestClient begins an exchange as a user with a password.
func NewDigestClient(cfg DigestClientConfig) Client {
	if cfg.Service == "" {
		cfg.Service = ClientService
	}
	if cfg.Host == "" {
		cfg.Host = ClientDigestHost
	}
	return &digestClient{cfg: cfg, nonce: newNonce}
}

type digestClient struct {
	cfg    DigestClientConfig
	nonce  func() string
	expect string // the server's proof; empty before the response
	over   bool
}

// Start is empty: the server begins.
func (*digestClient) Start() ([]byte, error) { return []byte{}, nil }

// Step answers the challenge, then checks the server's proof.
func (c *digestClient) Step(token []byte) (reply []byte, done bool, err error) {
	switch {
	case len(token) > maxToken:
		return nil, false, refuse("token of %d bytes, at most %d are allowed", len(token), maxToken)
	case c.over:
		return nil, false, refuse("the exchange is over")
	case c.expect == "":
		reply, err = c.respond(token)
		return reply, false, err
	}
	c.over = true
	proof, err := parseDirectives(token, []string{"rspauth"})
	if err != nil {
		return nil, false, err
	}
	if subtle.ConstantTimeCompare([]byte(proof["rspauth"]), []byte(c.expect)) != 1 {
		return nil, false, refuse("the server does not know the password")
	}
	return nil, true, nil
}

func (c *digestClient) respond(token []byte) ([]byte, error) {
	challenge, err := parseDirectives(token, []string{"nonce", "algorithm", "charset", "maxbuf", "qop"})
	if err != nil {
		return nil, err
	}
	realm, ok := challenge["realm"]
	if !ok {
		realm = c.cfg.Host
	}
	if err := checkChallenge(challenge); err != nil {
		return nil, err
	}
	sum := digestSum{
		user: c.cfg.User, password: c.cfg.Password, realm: realm, nonce: challenge["nonce"],
		cnonce: c.nonce(), uri: c.cfg.Service + "/" + c.cfg.Host,
	}
	b := []byte("charset=utf-8,")
	b = append(appendQuoted(b, "username", sum.user), ',')
	b = append(appendQuoted(b, "realm", realm), ',')
	b = append(appendQuoted(b, "nonce", sum.nonce), ",nc=00000001,"...)
	b = append(appendQuoted(b, "cnonce", sum.cnonce), ',')
	b = append(appendQuoted(b, "digest-uri", sum.uri), ",maxbuf=65536,"...)
	if c.cfg.AuthzID != "" {
		sum.authzID = &c.cfg.AuthzID
		b = append(appendQuoted(b, "authzid", c.cfg.AuthzID), ',')
	}
	c.expect = sum.response("")
	return append(b, "response="+sum.response("AUTHENTICATE")+",qop=auth"...), nil
}

func checkChallenge(challenge directives) error {
	if challenge["nonce"] == "" {
		return refuse("challenge without nonce")
	}
	if challenge["algorithm"] != "md5-sess" {
		return refuse("algorithm %q, only md5-sess is known", challenge["algorithm"])
	}
	if qop, ok := challenge["qop"]; ok && !contains(strings.FieldsFunc(qop, isListSeparator), "auth") {
		return refuse("server offers quality of protection %q, only auth is known", qop)
	}
	return nil
}

func isListSeparator(r rune) bool { return r == ',' || strings.ContainsRune(blanks, r) }
