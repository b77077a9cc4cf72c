package wire

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/jute"
)

func TestHello(t *testing.T) {
	one, two := Address{"10.0.0.1", 3888}, Address{"fe80::1", 3889}
	for _, c := range []struct {
		name  string
		hello Hello
		bytes string
	}{
		{"legacy", Hello{SID: 3}, "0000000000000003"},
		{"one address", Hello{HelloOneAddress, 3, []Address{one}},
			"ffffffffffff0000 0000000000000003 0000000d 31302e302e302e313a33383838"},
		{"addresses", Hello{HelloAddresses, 3, []Address{one, two}},
			"ffffffffffff0001 0000000000000003 0000001c 31302e302e302e313a33383838 7c 5b666538303a3a315d3a33383839"},
	} {
		want := unhex(t, c.bytes)
		if got := AppendHello(nil, c.hello); !bytes.Equal(got, want) {
			t.Errorf("%s\n got %x\nwant %x", c.name, got, want)
		}
		r := bytes.NewReader(append(want, "more"...))
		if got, err := ReadHello(r); err != nil || !reflect.DeepEqual(got, c.hello) || r.Len() != 4 {
			t.Errorf("%s became %+v, %v; %d bytes are left", c.name, got, err, r.Len())
		}
		for n := range len(want) {
			if _, err := ReadHello(bytes.NewReader(want[:n])); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%d bytes of %s: %v", n, c.name, err)
			}
		}
	}
	if got := AppendHello(nil, Hello{HelloOneAddress, 3, []Address{one, two}}); !bytes.HasSuffix(got, []byte("10.0.0.1:3888")) {
		t.Errorf("more than one address in %q", got)
	}
}

func TestHelloAddresses(t *testing.T) {
	for _, c := range []struct {
		text string
		want []Address // nil: refused
	}{
		{"host:1", []Address{{"host", 1}}},
		{"a:1|b:2", []Address{{"a", 1}, {"b", 2}}},
		{"a:1|", []Address{{"a", 1}}},
		{"0.0.0.0:1|[::]:2|b:3", []Address{{"b", 3}}},
		{"a", nil}, {"a:", nil}, {":1", nil}, {"a:b", nil}, {"a:1:2", nil}, {"a:65536", nil}, {"a:-1", nil}, {"[::1:2", nil},
		{"a:1||b:2", nil}, {"|", nil},
	} {
		b := jute.AppendLong(nil, HelloAddresses)
		b = jute.AppendLong(b, 1)
		b = jute.AppendString(b, c.text)
		h, err := ReadHello(bytes.NewReader(b))
		if c.want == nil {
			if !errors.Is(err, jute.ErrMalformed) {
				t.Errorf("%q: %v, %v", c.text, h.Addresses, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(h.Addresses, c.want) {
			t.Errorf("%q: %v, %v", c.text, h.Addresses, err)
		}
	}
}

func TestHelloRefuses(t *testing.T) {
	for name, stream := range map[string]string{
		"version":      "fffffffffffe0000",
		"no address":   "ffffffffffff0000 0000000000000003 00000000",
		"negative":     "ffffffffffff0000 0000000000000003 80000000",
		"long address": "ffffffffffff0000 0000000000000003 00000801",
	} {
		if _, err := ReadHello(bytes.NewReader(unhex(t, stream))); !errors.Is(err, jute.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLargerNumberKeepsItsConnection(t *testing.T) {
	if !KeepsConnection(3, 2) || KeepsConnection(2, 3) || KeepsConnection(2, 2) {
		t.Error("the connection that the larger number dialled is the one that stays")
	}
}

func TestNotificationFormats(t *testing.T) {
	const vote = "00000002 0000000000000003 0000000500000007 0000000000000009"
	base := Notification{State: Leading, Leader: 3, Zxid: 0x500000007, PeerEpoch: 6, Round: 9}
	oldest, plain, current := base, base, base
	oldest.PeerEpoch = 5 // of the zxid
	current.Version, current.Config = NotificationConfig, []byte("version=0")
	newer := current
	newer.Version = 3
	for _, c := range []struct {
		name, bytes string
		want        Notification
	}{
		{"3.3", vote, oldest},
		{"3.4.5", vote + "0000000000000006 00000000", plain},
		{"3.4.6", vote + "0000000000000006 00000001", plain},
		{"3.5", vote + "0000000000000006 00000002 00000009 76657273696f6e3d30", current},
		{"with more behind", vote + "0000000000000006 00000002 00000009 76657273696f6e3d30 01", current},
		{"a version to come", vote + "0000000000000006 00000003 00000009 76657273696f6e3d30", newer},
	} {
		got, err := DecodeNotification(unhex(t, c.bytes))
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
	if got := AppendNotification(nil, &current); !bytes.Equal(got, unhex(t, vote+"0000000000000006 00000002 00000009 76657273696f6e3d30")) {
		t.Errorf("%x", got)
	}
	if got := AppendNotification(nil, &plain); !bytes.Equal(got, unhex(t, vote+"0000000000000006 00000001")) {
		t.Errorf("%x", got)
	}
}

func TestNotificationRefuses(t *testing.T) {
	n := Notification{Version: NotificationConfig, Config: []byte("version=0")}
	full := AppendNotification(nil, &n)
	for size := range len(full) {
		_, err := DecodeNotification(full[:size])
		if accepted := size == notificationOldest || size == notificationPlain; accepted != (err == nil) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	for _, length := range []int32{-1, -2, 10, 1 << 30} {
		jute.PutInt(full, notificationPlain, length)
		if _, err := DecodeNotification(full); !errors.Is(err, jute.ErrMalformed) {
			t.Errorf("configuration of %d bytes: %v", length, err)
		}
	}
	if s := State(4); s.Known() || s.String() != "UNKNOWN(4)" || !Observing.Known() || Looking.String()+Following.String()+Leading.String()+Observing.String() != "LOOKINGFOLLOWINGLEADINGOBSERVING" {
		t.Error("states")
	}
}

func TestElectionFrame(t *testing.T) {
	for _, size := range []int{1, 100, frameStep + 1, MaxElectionFrame} {
		msg := bytes.Repeat([]byte{3}, size)
		for _, buf := range [][]byte{nil, make([]byte, 64), make([]byte, 0, MaxElectionFrame)} {
			r := bytes.NewReader(AppendElectionFrame(nil, msg))
			if got, err := ReadElectionFrame(r, buf); err != nil || !bytes.Equal(got, msg) {
				t.Errorf("%d bytes: %d came, %v", size, len(got), err)
			}
			if _, err := ReadElectionFrame(r, buf); err != io.EOF {
				t.Errorf("behind it: %v", err)
			}
		}
	}
	for _, stream := range []string{"00000000", "ffffffff", "00080001"} {
		if _, err := ReadElectionFrame(bytes.NewReader(unhex(t, stream)), nil); !errors.Is(err, jute.ErrMalformed) {
			t.Errorf("length %s: %v", stream, err)
		}
	}
	for _, stream := range []string{"00", "00000002", "00000002 01"} {
		if _, err := ReadElectionFrame(bytes.NewReader(unhex(t, stream)), nil); err != io.ErrUnexpectedEOF {
			t.Errorf("%s: %v", stream, err)
		}
	}
}

func TestAuthPackets(t *testing.T) {
	for _, c := range []struct {
		packet AuthPacket
		bytes  string
	}{
		{AuthPacket{AuthContinues, []byte{}}, "5f2435013501edcc 00000000 00000000"},
		{AuthPacket{AuthDone, nil}, "5f2435013501edcc 00000001 ffffffff"},
		{AuthPacket{AuthFailed, []byte("ab")}, "5f2435013501edcc ffffffff 00000002 6162"},
	} {
		want := unhex(t, c.bytes)
		if got := AppendAuthPacket(nil, c.packet); !bytes.Equal(got, want) {
			t.Errorf("%x, want %x", got, want)
		}
		r := bytes.NewReader(append(want, 1, 2, 3))
		if got, err := ReadAuthPacket(r); err != nil || !reflect.DeepEqual(got, c.packet) || r.Len() != 3 {
			t.Errorf("%s became %+v, %v; %d bytes are left", c.bytes, got, err, r.Len())
		}
		for n := range len(want) {
			if _, err := ReadAuthPacket(bytes.NewReader(want[:n])); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
	}
	if p, err := ReadAuthPacket(bytes.NewReader(unhex(t, "5f2435013501edcc 00000007 ffffffff"))); p.Status != AuthFailed || err != nil {
		t.Errorf("status 7: %v, %v", p.Status, err)
	}
	for name, stream := range map[string]string{
		"no magic":   "5f2435013501edcd 00000000 00000000",
		"negative":   "5f2435013501edcc 00000000 fffffffe",
		"long token": "5f2435013501edcc 00000000 00010001",
	} {
		if _, err := ReadAuthPacket(bytes.NewReader(unhex(t, stream))); !errors.Is(err, jute.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every first packet of the plain protocols is told from an authentication and from TLS.
func TestFirstBytes(t *testing.T) {
	plain := map[string][]byte{
		"legacy hello":   AppendHello(nil, Hello{SID: 0x160301}),
		"hello":          AppendHello(nil, Hello{Version: HelloOneAddress, SID: 1, Addresses: []Address{{"a", 1}}}),
		"learner":        AppendLearnerInfo(nil, LearnerInfo{SID: 1}),
		"authentication": AppendAuthPacket(nil, AuthPacket{}),
	}
	for name, b := range plain {
		if got := DetectTLS(b[:1]); got != Plain {
			t.Errorf("the first byte of %s: %v", name, got)
		}
		if got := IsAuth(b); got != (name == "authentication") {
			t.Errorf("%s is an authentication: %v", name, got)
		}
	}
	clientHello := unhex(t, "16030100a5")
	for n := range clientHello {
		if got := DetectTLS(clientHello[:n]); got != Undecided {
			t.Errorf("%d bytes of a TLS record: %v", n, got)
		}
	}
	if got := DetectTLS(clientHello); got != TLS {
		t.Errorf("a TLS record: %v", got)
	}
	for _, b := range []string{"1602", "19", "13", "1603010000", strings.Repeat("00", 5)} {
		if got := DetectTLS(unhex(t, b)); got != Plain {
			t.Errorf("%s: %v", b, got)
		}
	}
}
