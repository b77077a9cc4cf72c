package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/quollhq/quoll/internal/jute"
)

// fuzzLimit keeps the packets of fuzz targets small.
const fuzzLimit = 4096

// known tells whether err is one that a reader of untrusted bytes may return.
func known(err error) bool {
	return err == nil || errors.Is(err, jute.ErrMalformed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// FuzzReader: what is read can be written again, and is then read as the same; every decoder takes it or refuses it.
func FuzzReader(f *testing.F) {
	request := ClientRequest{Session: 1, Cxid: 2, Op: 1, Body: []byte("body"), Auth: []Identity{{"ip", "::1"}}}
	for _, seed := range [][]byte{
		AppendLearnerInfo(nil, LearnerInfo{SID: 1, Version: ProtocolVersion}),
		AppendLeaderInfo(nil, 1),
		AppendEpochAck(nil, EpochAck{NoVote: true}),
		AppendNewLeader(AppendDiff(nil, 1), 1, []byte("version=0")),
		AppendCommit(AppendProposal(nil, 1, []byte("txn")), 1),
		AppendInformAndActivate(AppendCommitAndActivate(nil, 1, 2), 1, 2, []byte("txn")),
		AppendPong(AppendPing(nil, 1), 1, []Touch{{1, 2}}),
		AppendRevalidated(AppendRevalidate(nil, 1, 2), 1, true),
		AppendSync(AppendRequest(nil, &request)),
		AppendPacket(nil, &Packet{Type: Farewell, Zxid: 1, Data: AppendSessions(nil, []int64{1, -2})}),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := NewReader(bytes.NewReader(stream), fuzzLimit)
		var p Packet
		for {
			if err := r.Next(&p); err != nil {
				if !known(err) {
					t.Fatal(err)
				}
				return
			}
			decodeAll(t, &p)
			again := AppendPacket(nil, &p)
			var q Packet
			if err := NewReader(bytes.NewReader(again), fuzzLimit).Next(&q); err != nil {
				t.Fatalf("%+v is not read again: %v", p, err)
			}
			if !bytes.Equal(again, AppendPacket(nil, &q)) {
				t.Fatalf("%+v is read again as %+v", p, q)
			}
		}
	})
}

func decodeAll(t *testing.T, p *Packet) {
	var errs [10]error
	_, errs[0] = DecodeLearnerInfo(p)
	_, _, errs[1] = DecodeLeaderInfo(p)
	_, errs[2] = DecodeEpochAck(p)
	_, _, errs[3] = DecodeNewLeader(p)
	_, _, errs[4] = DecodeActivate(p)
	touches, err := DecodePong(p)
	errs[5] = err
	_, errs[6] = DecodeRevalidate(p)
	_, _, errs[7] = DecodeRevalidated(p)
	_, errs[8] = DecodeRequest(p)
	_, errs[9] = DecodeFarewell(p)
	if err == nil {
		n := 0
		for range touches {
			n++
		}
		if n*touchLen != len(p.Data) {
			t.Fatalf("%d sessions in %d bytes", n, len(p.Data))
		}
	}
	for _, err := range errs {
		if !known(err) {
			t.Fatal(err)
		}
	}
}

// FuzzSnapshot: a snapshot comes out as it stands in the stream, to its end, or is refused.
func FuzzSnapshot(f *testing.F) {
	f.Add(AppendSignature(snapshot(3)))
	f.Add(AppendSignature(jute.AppendString([]byte{0, 0, 0, 0, 0, 0, 0, 0}, "/")))
	f.Fuzz(func(t *testing.T, stream []byte) {
		got, err := io.ReadAll(NewReader(bytes.NewReader(stream), fuzzLimit).Snapshot())
		if !known(err) {
			t.Fatal(err)
		}
		if err == nil && !bytes.HasPrefix(stream, AppendSignature(got)) {
			t.Fatalf("%x became %x", stream, got)
		}
		if !bytes.HasPrefix(stream, got) {
			t.Fatalf("%x became %x", stream, got)
		}
	})
}

// FuzzHello: what is read can be written and is then read as the same.
func FuzzHello(f *testing.F) {
	f.Add(AppendHello(nil, Hello{SID: 3}))
	f.Add(AppendHello(nil, Hello{Version: HelloOneAddress, SID: 3, Addresses: []Address{{"host", 3888}}}))
	f.Add(AppendHello(nil, Hello{Version: HelloAddresses, SID: 3, Addresses: []Address{{"::1", 1}, {"b", 2}}}))
	f.Fuzz(func(t *testing.T, stream []byte) {
		h, err := ReadHello(bytes.NewReader(stream))
		if !known(err) {
			t.Fatal(err)
		}
		if err != nil || h.Version != HelloLegacy && len(h.Addresses) == 0 {
			return
		}
		if h.Version == HelloOneAddress && len(h.Addresses) > 1 {
			h.Version = HelloAddresses // Apache's servers take several in this version, too
		}
		again := AppendHello(nil, h)
		if len(again) > 8+8+4+maxAddresses {
			return // a port with leading zeros became shorter, an IPv6 literal longer
		}
		g, err := ReadHello(bytes.NewReader(again))
		if err != nil || !bytes.Equal(AppendHello(nil, g), again) {
			t.Fatalf("%+v is read again as %+v, %v", h, g, err)
		}
	})
}

// FuzzNotification: as FuzzHello, with frames around.
func FuzzNotification(f *testing.F) {
	for _, n := range []Notification{{}, {State: Leading, Leader: 3, Version: NotificationConfig, Config: []byte("version=0")}} {
		f.Add(AppendElectionFrame(nil, AppendNotification(nil, &n)))
	}
	f.Add(AppendElectionFrame(nil, make([]byte, notificationOldest)))
	f.Fuzz(func(t *testing.T, stream []byte) {
		frame, err := ReadElectionFrame(bytes.NewReader(stream), nil)
		if !known(err) {
			t.Fatal(err)
		}
		n, err := DecodeNotification(frame)
		if !known(err) {
			t.Fatal(err)
		}
		if err != nil {
			return
		}
		again := AppendNotification(nil, &n)
		m, err := DecodeNotification(again)
		if err != nil || !bytes.Equal(AppendNotification(nil, &m), again) {
			t.Fatalf("%+v is read again as %+v, %v", n, m, err)
		}
	})
}

// FuzzAuthPacket: as FuzzHello.
func FuzzAuthPacket(f *testing.F) {
	f.Add(AppendAuthPacket(nil, AuthPacket{Status: AuthFailed}))
	f.Add(AppendAuthPacket(nil, AuthPacket{Token: []byte("token")}))
	f.Fuzz(func(t *testing.T, stream []byte) {
		DetectTLS(stream)
		p, err := ReadAuthPacket(bytes.NewReader(stream))
		if !known(err) {
			t.Fatal(err)
		}
		if err != nil {
			return
		}
		again := AppendAuthPacket(nil, p)
		q, err := ReadAuthPacket(bytes.NewReader(again))
		if err != nil || !bytes.Equal(AppendAuthPacket(nil, q), again) {
			t.Fatalf("%+v is read again as %+v, %v", p, q, err)
		}
	})
}

// pieces hands out a stream in two pieces and counts how often it is asked.
type pieces struct {
	parts [][]byte
	asked int
}

func (p *pieces) Read(b []byte) (int, error) {
	p.asked++
	if len(p.parts) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.parts[0])
	if p.parts[0] = p.parts[0][n:]; len(p.parts[0]) == 0 {
		p.parts = p.parts[1:]
	}
	return n, nil
}

// FuzzWhole: what is whole is read without waiting, and what waits was not whole.
func FuzzWhole(f *testing.F) {
	request := ClientRequest{Session: 1, Cxid: 2, Op: 1, Body: []byte("body"), Auth: []Identity{{"ip", "::1"}}}
	two := AppendRequest(AppendProposal(nil, 1, []byte("txn")), &request)
	for cut := range len(two) {
		f.Add(two, cut)
	}
	f.Add(AppendPacket(nil, &Packet{Data: make([]byte, fuzzLimit+1)}), 16)
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		cut = max(0, min(cut, len(stream)))
		src := &pieces{parts: [][]byte{stream[:cut], stream[cut:]}}
		r := NewReader(src, fuzzLimit)
		var p Packet
		for {
			whole, asked := r.Whole(), src.asked
			err := r.Next(&p)
			if whole && src.asked != asked {
				t.Fatal("it was whole, and Next waited for more")
			}
			if !whole && src.asked == asked && err == nil {
				t.Fatal("it was there, and not whole")
			}
			if err != nil {
				return
			}
		}
	})
}
