package gssapi

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/chksumtype"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/quollhq/quoll/internal/auth/sasl"
)

// ClientConfig configures the initiating side.
type ClientConfig struct {
	// Login has the client's credentials and can get tickets. It is not closed.
	Login *client.Client
	// Service is the server's principal without realm, such as
	// zookeeper/host.example.com.
	Service string
	// AuthzID is who to be taken for; empty leaves it to the server.
	AuthzID string
	// Mutual asks the server to prove that it has the service's key.
	Mutual bool
}

// NewClient begins an exchange. The ticket is fetched by Start.
func NewClient(cfg ClientConfig) sasl.Client { return &initiatorSide{cfg: cfg} }

type initiatorSide struct {
	cfg   ClientConfig
	state clientState
	auth  types.Authenticator
	key   wrapKey
	// session is the ticket's key, which the server's proof is under.
	session types.EncryptionKey
}

type clientState int

const (
	clientStart clientState = iota
	clientProof             // the server's AP-REP is due
	clientLayer             // the layers are due
	clientOver
)

// Start sends the ticket.
func (c *initiatorSide) Start() (token []byte, err error) {
	if c.state != clientStart {
		return nil, errors.New("exchange has begun already")
	}
	defer guard(&err)
	ticket, session, err := c.cfg.Login.GetServiceTicket(c.cfg.Service)
	if err != nil {
		return nil, fmt.Errorf("ticket for %s: %w", c.cfg.Service, err)
	}
	if err := checkKey(session); err != nil {
		return nil, err
	}
	c.session = session
	if err := c.makeAuthenticator(); err != nil {
		return nil, err
	}
	req, err := messages.NewAPReq(ticket, session, c.auth)
	if err != nil {
		return nil, err
	}
	c.state = clientLayer
	if c.cfg.Mutual {
		c.state = clientProof
		types.SetFlag(&req.APOptions, apMutualRequired)
	}
	body, err := req.Marshal()
	if err != nil {
		return nil, err
	}
	return frame(idAPReq, body), nil
}

// apMutualRequired is the bit of an AP-REQ's options that asks for an AP-REP.
const apMutualRequired = 2

func (c *initiatorSide) makeAuthenticator() error {
	creds := c.cfg.Login.Credentials
	auth, err := types.NewAuthenticator(creds.Domain(), creds.CName())
	if err != nil {
		return err
	}
	et, err := crypto.GetEtype(c.session.KeyType)
	if err != nil {
		return err
	}
	if err := auth.GenerateSeqNumberAndSubKey(c.session.KeyType, et.GetKeyByteSize()); err != nil {
		return err
	}
	wants := uint32(contextReplay | contextSequence | contextIntegrity)
	if c.cfg.Mutual {
		wants |= contextMutual
	}
	sum := make([]byte, 24) // length and value of the channel bindings: none
	binary.LittleEndian.PutUint32(sum, 16)
	binary.LittleEndian.PutUint32(sum[20:], wants)
	auth.Cksum = types.Checksum{CksumType: chksumtype.GSSAPI, Checksum: sum}
	c.auth = auth
	c.key = wrapKey{key: auth.SubKey}
	return nil
}

// Step checks the server's proof, then takes the layer "none".
func (c *initiatorSide) Step(token []byte) (reply []byte, done bool, err error) {
	was := c.state
	c.state = clientOver
	defer guard(&err)
	switch was {
	case clientProof:
		if err := c.checkProof(token); err != nil {
			return nil, false, err
		}
		c.state = clientLayer
		return []byte{}, false, nil
	case clientLayer:
		reply, err = c.choose(token)
		return reply, err == nil, err
	}
	return nil, false, refuse("token out of order")
}

func (c *initiatorSide) checkProof(token []byte) error {
	body, err := unframe(idAPRep, token)
	if err != nil {
		return err
	}
	var rep messages.APRep
	if err := rep.Unmarshal(body); err != nil {
		return refuse("server's proof: %w", err)
	}
	b, err := crypto.DecryptEncPart(rep.EncPart, c.session, keyusage.AP_REP_ENCPART)
	if err != nil {
		return refuse("server's proof: %w", err)
	}
	var part messages.EncAPRepPart
	if err := part.Unmarshal(b); err != nil {
		return refuse("server's proof: %w", err)
	}
	if part.CTime.Unix() != c.auth.CTime.Unix() || part.Cusec != c.auth.Cusec {
		return refuse("server's proof is of another exchange")
	}
	if len(part.Subkey.KeyValue) > 0 {
		c.key = wrapKey{key: part.Subkey, subkey: true}
		return checkKey(part.Subkey)
	}
	return nil
}

func (c *initiatorSide) choose(token []byte) ([]byte, error) {
	layers, err := c.key.unwrap(acceptor, token)
	if err != nil {
		return nil, err
	}
	if len(layers) < 4 || layers[0]&noLayer == 0 {
		return nil, refuse("the server insists on a security layer")
	}
	choice := append([]byte{noLayer, 0, 0, 0}, c.cfg.AuthzID...)
	return c.key.wrap(initiator, uint64(uint32(c.auth.SeqNumber)), choice)
}
