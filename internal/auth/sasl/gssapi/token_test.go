package gssapi

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/quollhq/quoll/internal/auth/sasl"
)

var testKey = wrapKey{key: types.EncryptionKey{KeyType: etypeID.AES128_CTS_HMAC_SHA1_96, KeyValue: []byte("0123456789abcdef")}}

func TestFrame(t *testing.T) {
	for _, n := range []int{0, 1, 114, 115, 240, 243, 244, 60000, 70000} {
		body := bytes.Repeat([]byte{7}, n)
		token := frame(idAPReq, body)
		got, err := unframe(idAPReq, token)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes became %d, %v", n, len(got), err)
		}
		if _, err := unframe(idAPRep, token); !errors.Is(err, sasl.ErrRefused) {
			t.Errorf("token of another id: %v", err)
		}
		for _, bad := range [][]byte{token[:len(token)-1], append(bytes.Clone(token), 0), append([]byte{0x61}, token[1:]...), {0x60}, {0x60, 0x80}, {0x60, 0x84, 0, 0, 0, 0}, nil} {
			if _, err := unframe(idAPReq, bad); !errors.Is(err, sasl.ErrRefused) {
				t.Errorf("damaged token of %d bytes: %v", len(bad), err)
			}
		}
	}
	if _, err := unframe(idAPReq, make([]byte, maxToken+1)); !errors.Is(err, sasl.ErrRefused) {
		t.Errorf("long token: %v", err)
	}
}

func TestWrap(t *testing.T) {
	subkey := wrapKey{key: testKey.key, subkey: true}
	token, err := testKey.wrap(initiator, 5, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := testKey.unwrap(initiator, token); err != nil || string(got) != "hello" {
		t.Fatalf("%q, %v", got, err)
	}
	// The same, rotated by 3 and by more than there is.
	for _, rrc := range []int{3, len(token) - wrapHeader, len(token) - wrapHeader + 3} {
		rotated := bytes.Clone(token)
		rotated[7] = byte(rrc)
		body, n := token[wrapHeader:], rrc%(len(token)-wrapHeader)
		copy(rotated[wrapHeader:], append(bytes.Clone(body[len(body)-n:]), body[:len(body)-n]...))
		if got, err := testKey.unwrap(initiator, rotated); err != nil || string(got) != "hello" {
			t.Errorf("rotated by %d: %q, %v", rrc, got, err)
		}
	}
	refused := func(name string, key wrapKey, from side, change func([]byte) []byte) {
		t.Helper()
		if got, err := key.unwrap(from, change(bytes.Clone(token))); !errors.Is(err, sasl.ErrRefused) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	set := func(i int, v byte) func([]byte) []byte { return func(b []byte) []byte { b[i] = v; return b } }
	same := func(b []byte) []byte { return b }
	refused("other side", testKey, acceptor, same)
	refused("subkey", subkey, initiator, same)
	refused("sealed", testKey, initiator, set(2, sealed))
	refused("sequence", testKey, initiator, set(15, 6))
	refused("payload", testKey, initiator, set(16, 'H'))
	refused("checksum", testKey, initiator, set(len(token)-1, token[len(token)-1]^1))
	refused("checksum's length", testKey, initiator, set(4, 1))
	refused("no checksum", testKey, initiator, set(5, 0))
	refused("filler", testKey, initiator, set(3, 0))
	refused("id", testKey, initiator, set(1, 5))
	refused("short", testKey, initiator, func(b []byte) []byte { return b[:15] })
}

func TestOldKeysAreRefused(t *testing.T) {
	for _, et := range []int32{etypeID.RC4_HMAC, etypeID.DES3_CBC_SHA1_KD, 99} {
		if err := checkKey(types.EncryptionKey{KeyType: et}); !errors.Is(err, sasl.ErrRefused) {
			t.Errorf("type %d: %v", et, err)
		}
	}
}

func TestReplayCache(t *testing.T) {
	c := replayCache{keep: time.Minute}
	at := time.Unix(1000, 0)
	for i, step := range []struct {
		sum   byte
		after time.Duration
		seen  bool
	}{{1, 0, false}, {1, 0, true}, {2, 30 * time.Second, false}, {1, 30 * time.Second, true}, {1, time.Second, false}, {2, 0, true}} {
		at = at.Add(step.after)
		if got := c.seen([32]byte{step.sum}, at); got != step.seen {
			t.Errorf("step %d: seen %v", i, got)
		}
	}
	c.seen([32]byte{3}, at.Add(time.Hour))
	if len(c.known) != 1 || len(c.queue) != 1 {
		t.Errorf("%d known and %d queued after an hour", len(c.known), len(c.queue))
	}
}

// testAcceptor is an acceptor with a keytab of a key known here.
func testAcceptor(t testing.TB) *Acceptor {
	t.Helper()
	kt := keytab.New()
	if err := kt.AddEntry("zookeeper/localhost", "QUOLL.TEST", "secret", time.Unix(1, 0), 1, etypeID.AES128_CTS_HMAC_SHA1_96); err != nil {
		t.Fatal(err)
	}
	b, err := kt.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "keytab")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := New(Config{Keytab: path, Principal: "zookeeper/localhost", DefaultRealm: "QUOLL.TEST"})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// ticketFor is an AP-REQ with a ticket under the acceptor's key: what a client
// of a realm whose KDC is here would send.
func ticketFor(t testing.TB, a *Acceptor) []byte {
	t.Helper()
	kt, err := a.keys.load()
	if err != nil {
		t.Fatal(err)
	}
	cname := types.NewPrincipalName(principalType, "bob")
	now := time.Now().UTC()
	flags := types.NewKrbFlags()
	ticket, session, err := messages.NewTicket(cname, "QUOLL.TEST", a.service, "QUOLL.TEST", flags, kt,
		etypeID.AES128_CTS_HMAC_SHA1_96, 1, now, now, now.Add(time.Hour), now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	auth, err := types.NewAuthenticator("QUOLL.TEST", cname)
	if err != nil {
		t.Fatal(err)
	}
	req, err := messages.NewAPReq(ticket, session, auth)
	if err != nil {
		t.Fatal(err)
	}
	b, err := req.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return frame(idAPReq, b)
}

func TestTicketWithoutChecksum(t *testing.T) {
	a := testAcceptor(t)
	s := a.NewServer()
	if reply, done, _, err := s.Step(ticketFor(t, a)); err != nil || done || len(reply) < wrapHeader {
		t.Fatalf("%x, %v, %v", reply, done, err)
	}
	if _, _, _, err := s.Step([]byte("no wrap token")); !errors.Is(err, sasl.ErrRefused) {
		t.Errorf("garbage: %v", err)
	}
}

func TestLayersAreRefused(t *testing.T) {
	a := testAcceptor(t)
	for choice, want := range map[string]string{"\x02\x00\x00\x00": "layer", "\x01\x00\x00": "layer", "": "layer", "\x01\x00\x00\x00bob": ""} {
		s := a.NewServer().(*server)
		if _, _, _, err := s.Step(ticketFor(t, a)); err != nil {
			t.Fatal(err)
		}
		token, err := s.key.wrap(initiator, 0, []byte(choice))
		if err != nil {
			t.Fatal(err)
		}
		_, done, id, err := s.Step(token)
		if want == "" && (err != nil || !done || id != "bob@QUOLL.TEST") {
			t.Errorf("%q: %v as %q, %v", choice, done, id, err)
		}
		if want != "" && (!errors.Is(err, sasl.ErrRefused) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", choice, err)
		}
	}
}

func FuzzUnwrap(f *testing.F) {
	token, err := testKey.wrap(initiator, 5, []byte("hello"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := testKey.unwrap(initiator, b)
		if err == nil && string(got) != "hello" {
			t.Fatalf("forged %q by %s", got, hex.EncodeToString(b))
		}
		if err != nil && !errors.Is(err, sasl.ErrRefused) {
			t.Fatal(err)
		}
	})
}

func FuzzServer(f *testing.F) {
	a := testAcceptor(f)
	good := ticketFor(f, a)
	f.Add(good, []byte{})
	f.Add(good[:len(good)-3], []byte("x"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		s := a.NewServer()
		for _, token := range [][]byte{first, second} {
			if _, done, id, err := s.Step(token); done || id != "" || err != nil && !errors.Is(err, sasl.ErrRefused) {
				t.Fatal(done, id, err)
			}
		}
	})
}

func FuzzKeytab(f *testing.F) {
	kt := keytab.New()
	kt.AddEntry("zookeeper/localhost", "QUOLL.TEST", "secret", time.Unix(1, 0), 1, etypeID.AES128_CTS_HMAC_SHA1_96)
	b, err := kt.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{5, 2, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) { parseKeytab(b) })
}
