package sasl

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"strings"
)

// DigestConfig configures DIGEST-MD5.
type DigestConfig struct {
	// Users are the passwords by user name (user_NAME="password" in the login
	// configuration).
	Users map[string]string
	// SuperPassword replaces the password of the user "super", if there is such
	// a user (SASLAuthenticationProvider.superPassword); nil does not.
	SuperPassword *string
	// Service and Host name the server; host is the realm, too. Empty means
	// ClientService and ClientDigestHost.
	Service, Host string
	// Authorizer maps user names to identities; nil leaves them as they are.
	Authorizer Authorizer
	Logger     *slog.Logger
}

// Digest makes DIGEST-MD5 servers.
type Digest struct {
	cfg DigestConfig
	// nonce makes a fresh nonce.
	nonce func() string
}

// NewDigest makes a Digest. It keeps cfg.Users.
func NewDigest(cfg DigestConfig) *Digest {
	if cfg.Service == "" {
		cfg.Service = ClientService
	}
	if cfg.Host == "" {
		cfg.Host = ClientDigestHost
	}
	cfg.Logger = orDiscard(cfg.Logger)
	return &Digest{cfg: cfg, nonce: newNonce}
}

// newNonce is 240 random bits as text.
func newNonce() string {
	var b [30]byte
	rand.Read(b[:]) // never fails
	return base64.StdEncoding.EncodeToString(b[:])
}

// Mechanism is DIGEST-MD5.
func (*Digest) Mechanism() string { return "DIGEST-MD5" }

// NewServer begins an exchange.
func (d *Digest) NewServer() Server { return &digestServer{d: d} }

type digestServer struct {
	d     *Digest
	nonce string
	state digestState
}

type digestState int

const (
	digestFirst     digestState = iota // the challenge is due
	digestChallenge                    // the client's response is due
	digestOver                         // done or failed
)

// Step answers the first token, whatever it holds, with the challenge, and the
// second with the proof that the server knows the password, too.
func (s *digestServer) Step(token []byte) (reply []byte, done bool, authzID string, err error) {
	if len(token) > maxToken {
		return nil, false, "", refuse("token of %d bytes, at most %d are allowed", len(token), maxToken)
	}
	switch s.state {
	case digestFirst:
		s.state = digestChallenge
		s.nonce = s.d.nonce()
		return s.challenge(), false, "", nil
	case digestChallenge:
		s.state = digestOver
		reply, authzID, err = s.verify(token)
		return reply, err == nil, authzID, err
	}
	return nil, false, "", refuse("the exchange is over")
}

func (s *digestServer) challenge() []byte {
	b := appendQuoted(nil, "realm", s.d.cfg.Host)
	b = appendQuoted(append(b, ','), "nonce", s.nonce)
	return append(b, ",charset=utf-8,algorithm=md5-sess"...)
}

// responseDirectives may occur once in a response.
var responseDirectives = []string{"username", "realm", "nonce", "cnonce", "nonce-count", "qop",
	"digest-uri", "response", "maxbuf", "charset", "cipher", "authzid", "auth-param"}

func (s *digestServer) verify(token []byte) (proof []byte, authzID string, err error) {
	resp, err := parseDirectives(token, responseDirectives)
	if err != nil {
		return nil, "", err
	}
	if err := s.checkResponse(resp); err != nil {
		return nil, "", err
	}
	user := resp["username"]
	password, ok := s.password(user)
	if !ok {
		return nil, "", refuse("unknown user %q", user)
	}
	sum := digestSum{
		user: user, realm: resp["realm"], password: password, nonce: s.nonce,
		cnonce: resp["cnonce"], uri: resp["digest-uri"],
	}
	requested, hasAuthz := resp["authzid"]
	if hasAuthz {
		sum.authzID = &requested
	} else {
		requested = user
	}
	if subtle.ConstantTimeCompare([]byte(sum.response("AUTHENTICATE")), []byte(resp["response"])) != 1 {
		return nil, "", refuse("wrong password of user %q", user)
	}
	authzID, err = s.authorize(user, requested)
	return []byte("rspauth=" + sum.response("")), authzID, err
}

// checkResponse checks all but the user and the proof.
func (s *digestServer) checkResponse(resp directives) error {
	for _, name := range []string{"username", "nonce", "cnonce", "response", "digest-uri"} {
		if _, ok := resp[name]; !ok {
			return refuse("response without %s", name)
		}
	}
	uri := s.d.cfg.Service + "/" + s.d.cfg.Host
	charset, hasCharset := resp["charset"]
	qop, hasQop := resp["qop"]
	count, hasCount := resp["nonce-count"]
	switch {
	case hasCharset && charset != "utf-8":
		return refuse("charset %q, only utf-8 is known", charset)
	case resp["realm"] != s.d.cfg.Host:
		return refuse("realm %q, the server's is %q", resp["realm"], s.d.cfg.Host)
	case resp["nonce"] != s.nonce:
		return refuse("nonce is not the one of the challenge")
	case hasCount && strings.TrimLeft(count, "0") != "1":
		return refuse("nonce count %q, must be 1", count)
	case hasQop && qop != "auth":
		return refuse("quality of protection %q, only auth is offered", qop)
	case !strings.EqualFold(resp["digest-uri"], uri):
		return refuse("digest-uri %q, the server's is %q", resp["digest-uri"], uri)
	}
	return nil
}

func (s *digestServer) password(user string) (string, bool) {
	password, ok := s.d.cfg.Users[user]
	if !ok {
		s.d.cfg.Logger.Warn("user not among those of the login configuration", "user", user)
	}
	if ok && user == "super" && s.d.cfg.SuperPassword != nil {
		return *s.d.cfg.SuperPassword, true
	}
	return password, ok
}

func (s *digestServer) authorize(user, requested string) (string, error) {
	if s.d.cfg.Authorizer == nil {
		return user, nil
	}
	id, err := s.d.cfg.Authorizer.Authorize(user, requested)
	if err != nil {
		return "", refuse("user %q: %w", user, err)
	}
	return id, nil
}

// digestSum is what both sides' proofs are made of.
type digestSum struct {
	user, realm, password string
	nonce, cnonce, uri    string
	authzID               *string // nil: none
}

// response is the proof: of the client with method AUTHENTICATE, of the server
// with an empty one. Quality of protection is always auth.
func (d *digestSum) response(method string) string {
	secret := md5.Sum([]byte(latin1(d.user) + ":" + latin1(d.realm) + ":" + latin1(d.password)))
	a1 := string(secret[:]) + ":" + d.nonce + ":" + d.cnonce
	if d.authzID != nil {
		a1 += ":" + *d.authzID
	}
	return md5Hex(md5Hex(a1) + ":" + d.nonce + ":00000001:" + d.cnonce + ":auth:" + md5Hex(method+":"+d.uri))
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// latin1 is s in ISO 8859-1 if all of its characters are in there, else s.
func latin1(s string) string {
	var b []byte
	for _, r := range s {
		if r > 0xff {
			return s
		}
		b = append(b, byte(r))
	}
	return string(b)
}
