package gssapi

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana"
	"github.com/jcmturner/gokrb5/v8/iana/asnAppTag"
	"github.com/jcmturner/gokrb5/v8/iana/chksumtype"
	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/iana/msgtype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// verify decrypts ticket and authenticator by the service's key and checks that
// they belong together, are valid now and were not seen before.
func (a *Acceptor) verify(req *messages.APReq) error {
	kt, err := a.keys.load()
	if err != nil {
		return err
	}
	if req.Ticket.Realm != a.realm {
		return fmt.Errorf("is for realm %q, the server is in %q", req.Ticket.Realm, a.realm)
	}
	if err := req.Ticket.DecryptEncPart(kt, &a.service); err != nil {
		return err
	}
	now := a.cfg.Now()
	ticket := &req.Ticket.DecryptedEncPart
	if err := a.checkTimes(ticket, now); err != nil {
		return err
	}
	if err := req.DecryptAuthenticator(ticket.Key); err != nil {
		return err
	}
	auth := &req.Authenticator
	if !auth.CName.Equal(ticket.CName) || auth.CRealm != ticket.CRealm {
		return errors.New("client of the authenticator is not the ticket's")
	}
	made := auth.CTime.Add(time.Duration(auth.Cusec) * time.Microsecond)
	if skew := now.Sub(made).Abs(); skew > a.cfg.MaxSkew {
		return fmt.Errorf("the clocks of client and server are %v apart, at most %v are allowed", skew, a.cfg.MaxSkew)
	}
	if a.replays.seen(sha256.Sum256(req.EncryptedAuthenticator.Cipher), now) {
		return errors.New("authenticator was used before")
	}
	return nil
}

func (a *Acceptor) checkTimes(ticket *messages.EncTicketPart, now time.Time) error {
	if types.IsFlagSet(&ticket.Flags, flags.Invalid) || ticket.StartTime.Sub(now) > a.cfg.MaxSkew {
		return fmt.Errorf("is not valid before %v", ticket.StartTime)
	}
	if now.Sub(ticket.EndTime) > a.cfg.MaxSkew {
		return fmt.Errorf("expired at %v", ticket.EndTime)
	}
	return nil
}

// wantsMutual reads the flags in the checksum of an authenticator: 4 bytes
// length of the channel bindings, 16 bytes of these, 4 bytes flags.
func wantsMutual(auth *types.Authenticator) bool {
	sum := auth.Cksum
	if sum.CksumType != chksumtype.GSSAPI || len(sum.Checksum) < 24 {
		return false
	}
	return binary.LittleEndian.Uint32(sum.Checksum[20:])&contextMutual != 0
}

// Flags of a context.
const (
	contextMutual    = 2
	contextReplay    = 4
	contextSequence  = 8
	contextIntegrity = 32
)

// apRepPart is the encrypted part of an AP-REP without a subkey.
type apRepPart struct {
	CTime time.Time `asn1:"generalized,explicit,tag:0"`
	Cusec int       `asn1:"explicit,tag:1"`
	Seq   int64     `asn1:"explicit,tag:3"`
}

// replyTo proves to the client that the server could read its authenticator.
// seq is the number of the server's first wrap token.
func replyTo(req *messages.APReq, seq uint64) ([]byte, error) {
	part := apRepPart{CTime: req.Authenticator.CTime, Cusec: req.Authenticator.Cusec, Seq: int64(seq)}
	b, err := asn1.Marshal(part)
	if err != nil {
		return nil, err
	}
	b = asn1tools.AddASNAppTag(b, asnAppTag.EncAPRepPart)
	enc, err := crypto.GetEncryptedData(b, req.Ticket.DecryptedEncPart.Key, keyusage.AP_REP_ENCPART, 0)
	if err != nil {
		return nil, err
	}
	rep, err := asn1.Marshal(messages.APRep{PVNO: iana.PVNO, MsgType: msgtype.KRB_AP_REP, EncPart: enc})
	if err != nil {
		return nil, err
	}
	return frame(idAPRep, asn1tools.AddASNAppTag(rep, asnAppTag.APREP)), nil
}

// newSequence is a random number of 30 bits, which all implementations can
// count on from.
func newSequence() uint64 {
	var b [4]byte
	rand.Read(b[:]) // never fails
	return uint64(binary.BigEndian.Uint32(b[:]) & 0x3fffffff)
}

// replayCache remembers authenticators for as long as they could be used again.
type replayCache struct {
	keep time.Duration

	mu    sync.Mutex
	known map[[32]byte]bool
	queue []replayEntry // oldest first
}

type replayEntry struct {
	sum [32]byte
	at  time.Time
}

// seen tells whether sum was asked for before, and remembers it.
func (c *replayCache) seen(sum [32]byte, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := 0
	for old < len(c.queue) && now.Sub(c.queue[old].at) > c.keep {
		delete(c.known, c.queue[old].sum)
		old++
	}
	c.queue = c.queue[old:]
	if c.known[sum] {
		return true
	}
	if c.known == nil {
		c.known = map[[32]byte]bool{}
	}
	c.known[sum] = true
	c.queue = append(c.queue, replayEntry{sum, now})
	return false
}
