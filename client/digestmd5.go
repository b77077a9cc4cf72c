package client

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// What ZooKeeper's servers call themselves in DIGEST-MD5.
const digestURI = "zookeeper/zk-sasl-md5"

// DigestMD5 is the SASL mechanism DIGEST-MD5 (RFC 2831) for one user, as an
// argument of [WithSASL]:
//
//	client.WithSASL(client.DigestMD5("bob", "bobs-password"))
//
// The server has the password; it does not cross the network. The mechanism is
// old: use it inside TLS.
func DigestMD5(user, password string) func(server string) (SASL, error) {
	return func(string) (SASL, error) {
		nonce := make([]byte, 30)
		rand.Read(nonce)
		return &digestMD5{user: user, password: password, cnonce: base64.StdEncoding.EncodeToString(nonce)}, nil
	}
}

type digestMD5 struct {
	user, password string
	cnonce         string
	expected       string // rspauth; set once the challenge was answered
}

func (m *digestMD5) Start() ([]byte, error) { return nil, nil }

func (m *digestMD5) Next(challenge []byte) (response []byte, done bool, err error) {
	fields, err := parseDigest(string(challenge))
	if err != nil {
		return nil, false, err
	}
	if m.expected != "" {
		got := fields["rspauth"]
		if !hmac.Equal([]byte(got), []byte(m.expected)) {
			return nil, false, errors.New("digest-md5: the server does not know the password")
		}
		return nil, true, nil
	}
	response, err = m.respond(fields)
	return response, false, err
}

func (m *digestMD5) respond(fields map[string]string) ([]byte, error) {
	nonce, realm := fields["nonce"], fields["realm"]
	if nonce == "" {
		return nil, errors.New("digest-md5: challenge without nonce")
	}
	if alg := fields["algorithm"]; alg != "md5-sess" {
		return nil, fmt.Errorf("digest-md5: algorithm %q is not md5-sess", alg)
	}
	if qop, ok := fields["qop"]; ok && !hasToken(qop, "auth") {
		return nil, fmt.Errorf("digest-md5: the server offers qop %q, not auth", qop)
	}
	utf := strings.EqualFold(fields["charset"], "utf-8")
	secret := hexMD5Input(m.user, realm, m.password, nonce, m.cnonce, utf)
	m.expected = digestValue(secret, nonce, m.cnonce, "")
	var b strings.Builder
	if utf {
		b.WriteString("charset=utf-8,")
	}
	fmt.Fprintf(&b, "username=%s,realm=%s,nonce=%s,nc=00000001,cnonce=%s,digest-uri=%s,maxbuf=65536,response=%s,qop=auth",
		quote(m.user), quote(realm), quote(nonce), quote(m.cnonce), quote(digestURI),
		digestValue(secret, nonce, m.cnonce, "AUTHENTICATE"))
	return []byte(b.String()), nil
}

// hexMD5Input is H(A1) of RFC 2831 in hexadecimal.
func hexMD5Input(user, realm, password, nonce, cnonce string, utf bool) string {
	inner := md5.Sum([]byte(latin1(user, utf) + ":" + latin1(realm, utf) + ":" + latin1(password, utf)))
	a1 := md5.Sum([]byte(string(inner[:]) + ":" + nonce + ":" + cnonce))
	return hex.EncodeToString(a1[:])
}

// digestValue is the response for method "AUTHENTICATE", and what the server
// must answer for "".
func digestValue(secret, nonce, cnonce, method string) string {
	a2 := md5.Sum([]byte(method + ":" + digestURI))
	v := md5.Sum([]byte(secret + ":" + nonce + ":00000001:" + cnonce + ":auth:" + hex.EncodeToString(a2[:])))
	return hex.EncodeToString(v[:])
}

// latin1 is s in ISO 8859-1 if it fits there, as RFC 2831 wants it when
// hashing, else (and without charset=utf-8) as it is.
func latin1(s string, utf bool) string {
	if !utf {
		return s
	}
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff || r == utf8.RuneError {
			return s
		}
		b = append(b, byte(r))
	}
	return string(b)
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func hasToken(list, token string) bool {
	for s := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(s), token) {
			return true
		}
	}
	return false
}

// parseDigest takes apart key=value,key="quoted value". The first of several
// equal keys counts: servers that offer several realms put their own first.
func parseDigest(s string) (map[string]string, error) {
	fields := map[string]string{}
	for s = strings.TrimLeft(s, ", \t\r\n"); s != ""; s = strings.TrimLeft(s, ", \t\r\n") {
		key, rest, ok := strings.Cut(s, "=")
		if !ok {
			return nil, fmt.Errorf("digest-md5: %q has no value", s)
		}
		value, rest, err := digestValueOf(strings.TrimLeft(rest, " \t"))
		if err != nil {
			return nil, err
		}
		key = strings.ToLower(strings.TrimSpace(key))
		if _, dup := fields[key]; !dup {
			fields[key] = value
		}
		s = rest
	}
	return fields, nil
}

// digestValueOf reads one value and returns what follows it.
func digestValueOf(s string) (value, rest string, err error) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, ", \t\r\n")
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:], nil
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], nil
		case '\\':
			if i++; i == len(s) {
				return "", "", errors.New("digest-md5: unfinished escape")
			}
			b.WriteByte(s[i])
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", errors.New("digest-md5: unfinished quoted string")
}
