// Package gssapi is the SASL mechanism GSSAPI with Kerberos 5 (RFC 4752 over
// RFC 4121), on both sides and without a security layer.
//
// The client's first token holds an AP-REQ, the ticket and the proof of its
// session key. If the client wants proof in return, the server answers with an
// AP-REP and the client with an empty token. Then the server sends, wrapped,
// the security layers it offers, and the client, wrapped, the one it takes and
// whom it wants to be taken for:
//
//	initial token   0x60 | DER length | 0x06 0x09 OID | token id | AP-REQ or AP-REP
//	wrap token      0x05 0x04 | flags | 0xFF | EC | RRC | sequence | payload | checksum
//	layers          1 byte bits of layers | 3 bytes size | identity as UTF-8
//
// Session keys must be of the AES types; the tokens of older types have another
// form.
package gssapi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/quollhq/quoll/internal/auth/sasl"
)

// maxToken bounds tokens in bytes. Tickets with authorization data of Windows
// domains can have some tens of kilobytes.
const maxToken = 1 << 17

var krb5OID = []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02}

var (
	idAPReq = [2]byte{1, 0}
	idAPRep = [2]byte{2, 0}
)

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %w", sasl.ErrRefused, fmt.Errorf(format, args...))
}

// guard makes an error of a panic: the Kerberos library's decoders are not
// proof against every input.
func guard(err *error) {
	if e := recover(); e != nil {
		*err = refuse("malformed token: %v", e)
	}
}

// frame puts body into an initial token.
func frame(id [2]byte, body []byte) []byte {
	n := len(krb5OID) + len(id) + len(body)
	b := appendLength([]byte{0x60}, n)
	return append(append(append(b, krb5OID...), id[:]...), body...)
}

func appendLength(b []byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(b, byte(n))
	case n < 0x100:
		return append(b, 0x81, byte(n))
	case n < 0x10000:
		return append(b, 0x82, byte(n>>8), byte(n))
	}
	return append(b, 0x83, byte(n>>16), byte(n>>8), byte(n))
}

// unframe is the body of an initial token with the given id.
func unframe(id [2]byte, token []byte) ([]byte, error) {
	if len(token) > maxToken {
		return nil, refuse("token of %d bytes, at most %d are allowed", len(token), maxToken)
	}
	rest, err := cutLength(token)
	if err != nil {
		return nil, refuse("malformed initial token: %w", err)
	}
	rest, ok := bytes.CutPrefix(rest, krb5OID)
	if !ok {
		return nil, refuse("initial token is not of Kerberos 5")
	}
	rest, ok = bytes.CutPrefix(rest, id[:])
	if !ok {
		return nil, refuse("initial token has another id than %x", id)
	}
	return rest, nil
}

// cutLength is what follows tag and length, which must be all of the token.
func cutLength(token []byte) ([]byte, error) {
	if len(token) < 2 || token[0] != 0x60 {
		return nil, errors.New("no application tag")
	}
	length, rest := int(token[1]), token[2:]
	if length >= 0x80 {
		n := length - 0x80
		if n == 0 || n > 3 || len(rest) < n {
			return nil, errors.New("unusable length")
		}
		length = 0
		for _, c := range rest[:n] {
			length = length<<8 | int(c)
		}
		rest = rest[n:]
	}
	if length != len(rest) {
		return nil, fmt.Errorf("length is %d, but %d bytes follow", length, len(rest))
	}
	return rest, nil
}

// The flags of wrap tokens.
const (
	fromAcceptor   = 1
	sealed         = 2
	acceptorSubkey = 4
)

const wrapHeader = 16

// side tells the two ends of a context apart: flag and key usage of their wrap
// tokens.
type side struct {
	flag  byte
	usage uint32
}

var (
	acceptor  = side{fromAcceptor, keyusage.GSSAPI_ACCEPTOR_SEAL}
	initiator = side{0, keyusage.GSSAPI_INITIATOR_SEAL}
)

// wrapKey is the key of a context's wrap tokens; subkey tells that the acceptor
// chose it.
type wrapKey struct {
	key    types.EncryptionKey
	subkey bool
}

// checkKey refuses keys of types whose wrap tokens are of another form.
func checkKey(key types.EncryptionKey) error {
	switch key.KeyType {
	case etypeID.AES128_CTS_HMAC_SHA1_96, etypeID.AES256_CTS_HMAC_SHA1_96,
		etypeID.AES128_CTS_HMAC_SHA256_128, etypeID.AES256_CTS_HMAC_SHA384_192:
		return nil
	}
	return refuse("session key of encryption type %d, only the AES types are supported", key.KeyType)
}

// wrap signs payload without encrypting it.
func (k wrapKey) wrap(from side, seq uint64, payload []byte) ([]byte, error) {
	flags := from.flag
	if k.subkey {
		flags |= acceptorSubkey
	}
	header := wrapHead(flags, seq)
	sum, err := k.checksum(from, payload, header)
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint16(header[4:], uint16(len(sum)))
	return append(append(header, payload...), sum...), nil
}

func wrapHead(flags byte, seq uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{5, 4, flags, 0xff, 0, 0, 0, 0}, seq)
}

// checksum is over payload and a header whose EC and RRC are zero.
func (k wrapKey) checksum(from side, payload, header []byte) ([]byte, error) {
	et, err := crypto.GetEtype(k.key.KeyType)
	if err != nil {
		return nil, err
	}
	signed := append(append([]byte(nil), payload...), header...)
	return et.GetChecksumHash(k.key.KeyValue, signed, from.usage)
}

// unwrap checks a token of the other side and yields its payload.
func (k wrapKey) unwrap(from side, token []byte) ([]byte, error) {
	if len(token) < wrapHeader || len(token) > maxToken {
		return nil, refuse("wrap token of %d bytes", len(token))
	}
	if token[0] != 5 || token[1] != 4 || token[3] != 0xff {
		return nil, refuse("not a wrap token: % x", token[:4])
	}
	flags := token[2]
	switch {
	case flags&fromAcceptor != from.flag:
		return nil, refuse("wrap token is of the wrong side")
	case flags&sealed != 0:
		return nil, refuse("wrap token is encrypted, which was not negotiated")
	case flags&acceptorSubkey != 0 != k.subkey:
		return nil, refuse("wrap token uses a key that was not agreed upon")
	}
	body := unrotate(token[wrapHeader:], int(binary.BigEndian.Uint16(token[6:])))
	extra := int(binary.BigEndian.Uint16(token[4:]))
	if extra > len(body) {
		return nil, refuse("checksum of %d bytes in a wrap token of %d", extra, len(token))
	}
	payload, sum := body[:len(body)-extra], body[len(body)-extra:]
	want, err := k.checksum(from, payload, wrapHead(flags, binary.BigEndian.Uint64(token[8:])))
	if err != nil {
		return nil, err
	}
	if !equalMAC(sum, want) {
		return nil, refuse("wrap token has a wrong checksum")
	}
	return payload, nil
}

// unrotate undoes a rotation to the right by n bytes.
func unrotate(b []byte, n int) []byte {
	if len(b) == 0 || n%len(b) == 0 {
		return b
	}
	n %= len(b)
	return append(append([]byte(nil), b[n:]...), b[:n]...)
}
