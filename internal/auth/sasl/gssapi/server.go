package gssapi

import (
	"crypto/hmac"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/quollhq/quoll/internal/auth/sasl"
)

func equalMAC(a, b []byte) bool { return hmac.Equal(a, b) }

// Config configures the accepting side.
type Config struct {
	// Keytab is the file with the service's keys. It is read again when it
	// changed.
	Keytab string
	// Principal is the service, such as zookeeper/host.example.com@EXAMPLE.COM.
	// Without realm it is in DefaultRealm.
	Principal    string
	DefaultRealm string
	// MaxSkew is how far the clocks of client and server may be apart; 0 means 5
	// minutes.
	MaxSkew time.Duration
	// Authorizer maps principals to identities; nil leaves them as they are.
	Authorizer sasl.Authorizer
	Logger     *slog.Logger
	// Now is the clock; nil means the system's.
	Now func() time.Time
}

// Acceptor makes GSSAPI servers.
type Acceptor struct {
	cfg     Config
	service types.PrincipalName
	realm   string
	keys    *keytabFile
	replays *replayCache
}

// DefaultSkew is how far clocks may be apart unless configured otherwise.
const DefaultSkew = 5 * time.Minute

// New makes an Acceptor. It fails if the keytab cannot be read or has no key of
// the principal.
func New(cfg Config) (*Acceptor, error) {
	if cfg.MaxSkew == 0 {
		cfg.MaxSkew = DefaultSkew
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	name, realm, found := strings.Cut(cfg.Principal, "@")
	if !found {
		realm = cfg.DefaultRealm
	}
	if service, host, ok := strings.Cut(name, "/"); !ok || service == "" || host == "" || realm == "" {
		return nil, fmt.Errorf("principal %q of the server: want service/host@REALM", cfg.Principal)
	}
	a := &Acceptor{
		cfg:     cfg,
		service: types.NewPrincipalName(principalType, name),
		realm:   realm,
		keys:    &keytabFile{path: cfg.Keytab, log: cfg.Logger},
		replays: &replayCache{keep: 2 * cfg.MaxSkew},
	}
	kt, err := a.keys.load()
	if err != nil {
		return nil, err
	}
	return a, checkKeytab(kt, cfg.Keytab, a.service, realm)
}

// principalType is KRB_NT_PRINCIPAL. Types do not count when names are compared.
const principalType = 1

// Mechanism is GSSAPI.
func (*Acceptor) Mechanism() string { return "GSSAPI" }

// NewServer begins an exchange.
func (a *Acceptor) NewServer() sasl.Server { return &server{a: a} }

type server struct {
	a     *Acceptor
	state state
	peer  string
	key   wrapKey
	seq   uint64 // of the next wrap token
}

type state int

const (
	wantTicket state = iota
	wantEmpty        // the client's answer to the AP-REP
	wantLayer        // the client's choice of a layer
	over             // done or failed
)

// Layers, as bits of the first byte of their tokens, and the size of tokens
// that Java's server announces.
const (
	noLayer  = 1
	wrapSize = 1 << 16
)

// Step takes the client's next token.
func (s *server) Step(token []byte) (reply []byte, done bool, authzID string, err error) {
	was := s.state
	s.state = over
	defer guard(&err)
	switch was {
	case wantTicket:
		reply, err = s.accept(token)
	case wantEmpty:
		if len(token) > 0 {
			return nil, false, "", refuse("%d bytes where an empty token was due", len(token))
		}
		reply, err = s.offer()
	case wantLayer:
		authzID, err = s.finish(token)
		return nil, err == nil, authzID, err
	default:
		err = refuse("the exchange is over")
	}
	return reply, false, "", err
}

// accept checks the ticket and answers with an AP-REP, if the client wants one,
// or at once with the layers.
func (s *server) accept(token []byte) ([]byte, error) {
	body, err := unframe(idAPReq, token)
	if err != nil {
		return nil, err
	}
	var req messages.APReq
	if err := req.Unmarshal(body); err != nil {
		return nil, refuse("ticket: %w", err)
	}
	if err := s.a.verify(&req); err != nil {
		return nil, refuse("ticket: %w", err)
	}
	auth := &req.Authenticator
	s.key.key = auth.SubKey
	if len(auth.SubKey.KeyValue) == 0 {
		s.key.key = req.Ticket.DecryptedEncPart.Key
	}
	if err := checkKey(s.key.key); err != nil {
		return nil, err
	}
	client := &req.Ticket.DecryptedEncPart
	s.peer = client.CName.PrincipalNameString() + "@" + client.CRealm
	if !wantsMutual(auth) {
		// Both sides then count on from the initiator's number.
		s.seq = uint64(uint32(auth.SeqNumber))
		return s.offer()
	}
	s.state = wantEmpty
	s.seq = newSequence()
	return replyTo(&req, s.seq)
}

// offer sends the layers: none but no layer.
func (s *server) offer() ([]byte, error) {
	s.state = wantLayer
	b, err := s.key.wrap(acceptor, s.seq, []byte{noLayer, wrapSize >> 16, wrapSize >> 8 & 0xff, wrapSize & 0xff})
	s.seq++
	return b, err
}

// finish reads the client's choice and identity.
func (s *server) finish(token []byte) (authzID string, err error) {
	choice, err := s.key.unwrap(initiator, token)
	if err != nil {
		return "", err
	}
	if len(choice) < 4 || choice[0]&noLayer == 0 {
		return "", refuse("client wants a security layer, none is offered")
	}
	requested := strings.ToValidUTF8(string(choice[4:]), "\uFFFD")
	if requested == "" {
		requested = s.peer
	}
	if s.a.cfg.Authorizer == nil {
		return s.peer, nil
	}
	id, err := s.a.cfg.Authorizer.Authorize(s.peer, requested)
	if err != nil {
		return "", refuse("principal %s: %w", s.peer, err)
	}
	return id, nil
}
