package wire

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/quollhq/quoll/internal/jute"
)

// authMagic begins every packet of the authentication between members, and nothing else does: neither a frame's length
// nor a packet's type.
const authMagic int64 = 0x5f2435013501edcc

// maxAuthToken bounds a token in bytes. Kerberos tickets with many groups take some 10,000.
const maxAuthToken = 64 << 10

// AuthStatus says how far an authentication between members has come.
type AuthStatus int32

// The states of an authentication.
const (
	AuthContinues AuthStatus = 0
	AuthDone      AuthStatus = 1
	AuthFailed    AuthStatus = -1
)

// AuthPacket is one step of an authentication by SASL. A nil token travels as null.
type AuthPacket struct {
	Status AuthStatus
	Token  []byte
}

// AuthPeek is how many bytes IsAuth looks at.
const AuthPeek = 8

// IsAuth tells whether the first AuthPeek bytes of what a member sends begin an authentication.
func IsAuth(b []byte) bool {
	return len(b) >= AuthPeek && int64(binary.BigEndian.Uint64(b)) == authMagic
}

// AppendAuthPacket appends p.
func AppendAuthPacket(b []byte, p AuthPacket) []byte {
	b = jute.AppendLong(b, authMagic)
	b = jute.AppendInt(b, int32(p.Status))
	return jute.AppendBuffer(b, p.Token)
}

// ReadAuthPacket reads one packet and nothing beyond it. A status that the protocol does not have is AuthFailed, as in
// Apache's servers.
func ReadAuthPacket(r io.Reader) (AuthPacket, error) {
	var head [8 + 4 + 4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return AuthPacket{}, fmt.Errorf("authentication: %w", err)
	}
	if !IsAuth(head[:]) {
		return AuthPacket{}, fmt.Errorf("authentication: %w: it begins with %x", jute.ErrMalformed, head[:8])
	}
	p := AuthPacket{Status: AuthStatus(int32(binary.BigEndian.Uint32(head[8:])))}
	if p.Status != AuthContinues && p.Status != AuthDone {
		p.Status = AuthFailed
	}
	n := int32(binary.BigEndian.Uint32(head[12:]))
	if n < -1 || n > maxAuthToken {
		return p, fmt.Errorf("authentication: %w: token of %d bytes, at most %d are taken", jute.ErrMalformed, n, maxAuthToken)
	}
	if n < 0 {
		return p, nil
	}
	var err error
	p.Token, err = readGrowing(r, []byte{}, int(n))
	return p, err
}
