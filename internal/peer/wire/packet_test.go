package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/quollhq/quoll/internal/jute"
)

const testLimit = 1 << 20

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// one reads the only packet of b.
func one(t testing.TB, b []byte) *Packet {
	t.Helper()
	r := NewReader(bytes.NewReader(b), testLimit)
	p := new(Packet)
	if err := r.Next(p); err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	if r.Buffered() != 0 {
		t.Fatalf("%x: %d bytes behind its packet", b, r.Buffered())
	}
	return p
}

func TestPacketsHaveApachesBytes(t *testing.T) {
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"FOLLOWERINFO", AppendLearnerInfo(nil, LearnerInfo{AcceptedEpoch: 2, SID: 3, Version: ProtocolVersion, ConfigVersion: 0x100000007}),
			"0000000b 0000000200000000 00000014 0000000000000003 00010000 0000000100000007 ffffffff"},
		{"OBSERVERINFO", AppendLearnerInfo(nil, LearnerInfo{Observer: true, SID: 9, Version: ProtocolVersion}),
			"00000010 0000000000000000 00000014 0000000000000009 00010000 0000000000000000 ffffffff"},
		{"LEADERINFO", AppendLeaderInfo(nil, 5), "00000011 0000000500000000 00000004 00010000 ffffffff"},
		{"ACKEPOCH", AppendEpochAck(nil, EpochAck{LastZxid: 0x400000002, CurrentEpoch: 4}), "00000012 0000000400000002 00000004 00000004 ffffffff"},
		{"ACKEPOCH without vote", AppendEpochAck(nil, EpochAck{LastZxid: 1, NoVote: true}), "00000012 0000000000000001 00000004 ffffffff ffffffff"},
		{"DIFF", AppendDiff(nil, 7), "0000000d 0000000000000007 ffffffff ffffffff"},
		{"TRUNC", AppendTrunc(nil, 7), "0000000e 0000000000000007 ffffffff ffffffff"},
		{"SNAP", AppendSnap(nil, 7), "0000000f 0000000000000007 ffffffff ffffffff"},
		{"signature", AppendSignature(nil), "0000000a 42656e576173486572 65"},
		{"NEWLEADER", AppendNewLeader(nil, 5, []byte("version=0")), "0000000a 0000000500000000 00000009 76657273696f6e3d30 ffffffff"},
		{"UPTODATE", AppendUpToDate(nil), "0000000c ffffffffffffffff ffffffff ffffffff"},
		{"PROPOSAL", AppendProposal(nil, 0x500000001, []byte{1, 2, 3}), "00000002 0000000500000001 00000003 010203 ffffffff"},
		{"INFORM", AppendInform(nil, 0x500000001, []byte{1, 2, 3}), "00000008 0000000500000001 00000003 010203 ffffffff"},
		{"ACK", AppendAck(nil, 0x500000001), "00000003 0000000500000001 ffffffff ffffffff"},
		{"ACK of NEWLEADER", AppendNewLeaderAck(nil, 5), "00000003 0000000500000000 ffffffff ffffffff"},
		{"COMMIT", AppendCommit(nil, 0x500000001), "00000004 0000000500000001 ffffffff ffffffff"},
		{"COMMITANDACTIVATE", AppendCommitAndActivate(nil, 6, 2), "00000009 0000000000000006 00000008 0000000000000002 ffffffff"},
		{"INFORMANDACTIVATE", AppendInformAndActivate(nil, 6, 2, []byte{9}), "00000013 0000000000000006 00000009 0000000000000002 09 ffffffff"},
		{"PING", AppendPing(nil, 6), "00000005 0000000000000006 ffffffff ffffffff"},
		{"PING with sessions", AppendPong(nil, 6, []Touch{{Session: 1, Timeout: 4000}, {Session: -2, Timeout: 1}}),
			"00000005 0000000000000006 00000018 0000000000000001 00000fa0 fffffffffffffffe 00000001 ffffffff"},
		{"REVALIDATE", AppendRevalidate(nil, 1, 4000), "00000006 ffffffffffffffff 0000000c 0000000000000001 00000fa0 ffffffff"},
		{"REVALIDATE answered", AppendRevalidated(nil, 1, true), "00000006 ffffffffffffffff 00000009 0000000000000001 01 ffffffff"},
		{"REQUEST", AppendRequest(nil, &ClientRequest{Session: 1, Cxid: 2, Op: 13, Body: []byte("b"), Auth: []Identity{{"ip", "127.0.0.1"}}}),
			"00000001 ffffffffffffffff 00000011 0000000000000001 00000002 0000000d 62 00000001 00000002 6970 00000009 3132372e302e302e31"},
		{"SYNC", AppendSync(nil), "00000007 0000000000000000 ffffffff ffffffff"},
	} {
		if want := unhex(t, c.want); !bytes.Equal(c.got, want) {
			t.Errorf("%s\n got %x\nwant %x", c.name, c.got, want)
		}
	}
}

func TestBodies(t *testing.T) {
	for _, want := range []LearnerInfo{
		{AcceptedEpoch: 2, SID: 3, Version: ProtocolVersion, ConfigVersion: 7},
		{Observer: true, SID: 9},
		{Anonymous: true},
	} {
		if got, err := DecodeLearnerInfo(one(t, AppendLearnerInfo(nil, want))); err != nil || got != want {
			t.Errorf("%+v became %+v, %v", want, got, err)
		}
	}
	if epoch, version, err := DecodeLeaderInfo(one(t, AppendLeaderInfo(nil, 5))); epoch != 5 || version != ProtocolVersion || err != nil {
		t.Errorf("LEADERINFO: %d %x %v", epoch, version, err)
	}
	for _, want := range []EpochAck{{LastZxid: 4, CurrentEpoch: 1}, {LastZxid: 4, NoVote: true}} {
		if got, err := DecodeEpochAck(one(t, AppendEpochAck(nil, want))); err != nil || got != want {
			t.Errorf("%+v became %+v, %v", want, got, err)
		}
	}
	if epoch, config, err := DecodeNewLeader(one(t, AppendNewLeader(nil, 5, []byte("version=0")))); epoch != 5 || string(config) != "version=0" || err != nil {
		t.Errorf("NEWLEADER: %d %q %v", epoch, config, err)
	}
	if designated, txn, err := DecodeActivate(one(t, AppendInformAndActivate(nil, 6, 2, []byte("t")))); designated != 2 || string(txn) != "t" || err != nil {
		t.Errorf("INFORMANDACTIVATE: %d %q %v", designated, txn, err)
	}
	touches := []Touch{{1, 4000}, {2, 5000}}
	if seq, err := DecodePong(one(t, AppendPong(nil, 6, touches))); err != nil || !slices.Equal(slices.Collect(seq), touches) {
		t.Errorf("PING: %v", err)
	}
	if got, err := DecodeRevalidate(one(t, AppendRevalidate(nil, 1, 4000))); got != (Touch{1, 4000}) || err != nil {
		t.Errorf("REVALIDATE: %v %v", got, err)
	}
	if session, valid, err := DecodeRevalidated(one(t, AppendRevalidated(nil, 1, true))); session != 1 || !valid || err != nil {
		t.Errorf("REVALIDATE answered: %d %v %v", session, valid, err)
	}
	request := ClientRequest{Session: 1, Cxid: 2, Op: 13, Body: []byte("body"), Auth: []Identity{{"ip", "::1"}, {"digest", "a:b"}}}
	if got, err := DecodeRequest(one(t, AppendRequest(nil, &request))); err != nil || !reflect.DeepEqual(got, request) {
		t.Errorf("REQUEST: %+v, %v", got, err)
	}
}

// What older servers leave out of their first packet.
func TestOldLearnerInfo(t *testing.T) {
	for _, c := range []struct {
		data string
		want LearnerInfo
	}{
		{"0000000000000003", LearnerInfo{AcceptedEpoch: 2, SID: 3}},
		{"0000000000000003 00010000", LearnerInfo{AcceptedEpoch: 2, SID: 3, Version: ProtocolVersion}},
	} {
		got, err := DecodeLearnerInfo(&Packet{Type: FollowerInfo, Zxid: 2<<32 | 5, Data: unhex(t, c.data)})
		if err != nil || got != c.want {
			t.Errorf("%s became %+v, %v", c.data, got, err)
		}
	}
}

// Data that ends early and packets of another type are refused by every decoder.
func TestBodiesRefuse(t *testing.T) {
	decoders := map[Type]func(*Packet) error{
		FollowerInfo:      func(p *Packet) error { _, err := DecodeLearnerInfo(p); return err },
		LeaderInfo:        func(p *Packet) error { _, _, err := DecodeLeaderInfo(p); return err },
		AckEpoch:          func(p *Packet) error { _, err := DecodeEpochAck(p); return err },
		CommitAndActivate: func(p *Packet) error { _, _, err := DecodeActivate(p); return err },
		Ping:              func(p *Packet) error { _, err := DecodePong(p); return err },
		Revalidate:        func(p *Packet) error { _, _, err := DecodeRevalidated(p); return err },
		Request:           func(p *Packet) error { _, err := DecodeRequest(p); return err },
	}
	for typ, decode := range decoders {
		if err := decode(&Packet{Type: typ, Data: []byte{1, 2, 3}}); !errors.Is(err, jute.ErrMalformed) {
			t.Errorf("%v with 3 bytes: %v", typ, err)
		}
		if err := decode(&Packet{Type: UpToDate, Data: make([]byte, 20)}); !errors.Is(err, jute.ErrMalformed) {
			t.Errorf("%v's decoder on UPTODATE: %v", typ, err)
		}
	}
	if _, _, err := DecodeNewLeader(&Packet{Type: Snap}); !errors.Is(err, jute.ErrMalformed) {
		t.Errorf("NEWLEADER's decoder on SNAP: %v", err)
	}
	if _, err := DecodeRevalidate(&Packet{Type: Revalidate, Data: make([]byte, 9)}); !errors.Is(err, jute.ErrMalformed) {
		t.Errorf("REVALIDATE: %v", err)
	}
	if _, err := DecodeEpochAck(&Packet{Type: AckEpoch, Data: []byte{0xff, 0xff, 0xff, 0xfe}}); !errors.Is(err, jute.ErrMalformed) {
		t.Errorf("epoch -2: %v", err)
	}
}

func TestTxnFrame(t *testing.T) {
	txn := []byte("transaction")
	f := FrameTxn(Proposal, 9, len(txn))
	got := slices.Concat(f.Head[:], txn, f.Tail[:])
	if want := AppendProposal(nil, 9, txn); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

func TestTypeNames(t *testing.T) {
	if Farewell.String() != "FAREWELL" || Type(21).String() != "UNKNOWN(21)" || Type(-1).String() != "UNKNOWN(-1)" {
		t.Error(Farewell, Type(21), Type(-1))
	}
}

// The hot packets cost no memory once the buffer is large enough.
func TestAppendDoesNotAllocate(t *testing.T) {
	b := make([]byte, 0, 4096)
	txn, touches := make([]byte, 100), make([]Touch, 10)
	if n := testing.AllocsPerRun(100, func() {
		b = AppendProposal(b[:0], 1, txn)
		b = AppendAck(b, 1)
		b = AppendCommit(b, 1)
		b = AppendInform(b, 1, txn)
		b = AppendPong(b, 1, touches)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestReaderDoesNotAllocate(t *testing.T) {
	stream := AppendProposal(nil, 1, make([]byte, 100))
	stream = AppendCommit(stream, 1)
	stream = AppendRequest(stream, &ClientRequest{Body: make([]byte, 10), Auth: []Identity{{"ip", "127.0.0.1"}}})
	r := NewReader(endless{stream: stream, at: new(int)}, testLimit)
	var p Packet
	if n := testing.AllocsPerRun(1000, func() {
		if err := r.Next(&p); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// endless repeats a stream.
type endless struct {
	stream []byte
	at     *int
}

func (e endless) Read(b []byte) (int, error) {
	n := copy(b, e.stream[*e.at:])
	*e.at = (*e.at + n) % len(e.stream)
	return n, nil
}

// However the bytes arrive, the same packets come out.
func TestReaderTakesAnyPieces(t *testing.T) {
	packets := []Packet{
		{Type: Proposal, Zxid: 1, Data: bytes.Repeat([]byte{7}, 3*readerBuffer)},
		{Type: Commit, Zxid: 1},
		{Type: Request, Zxid: -1, Data: []byte{}, Auth: []Identity{{"", ""}, {"ip", strings.Repeat("x", 70_000)}}},
		{Type: Ping, Auth: []Identity{}},
		{Type: Proposal, Zxid: 2, Data: bytes.Repeat([]byte{8}, testLimit)},
		{Type: Ack, Zxid: 2},
	}
	var stream []byte
	for i := range packets {
		stream = AppendPacket(stream, &packets[i])
	}
	for name, src := range map[string]io.Reader{
		"whole":                     bytes.NewReader(stream),
		"half":                      iotest.HalfReader(bytes.NewReader(stream)),
		"bytes":                     iotest.OneByteReader(bytes.NewReader(stream)),
		"error with the last bytes": iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		r := NewReader(src, testLimit)
		var p Packet
		for i, want := range packets {
			if err := r.Next(&p); err != nil {
				t.Fatalf("%s: packet %d: %v", name, i, err)
			}
			if !reflect.DeepEqual(p, want) {
				t.Errorf("%s: packet %d of type %v differs", name, i, want.Type)
			}
		}
		if err := r.Next(&p); err != io.EOF {
			t.Errorf("%s: at the end: %v", name, err)
		}
		if len(r.buf) > keptBuffer {
			t.Errorf("%s: %d bytes of buffer are kept", name, len(r.buf))
		}
	}
}

func TestReaderRefuses(t *testing.T) {
	for _, c := range []struct{ name, stream string }{
		{"negative length", "00000002 0000000000000001 fffffffe"},
		{"data above the limit", "00000002 0000000000000001 00100001"},
		{"too many identities", "00000002 0000000000000001 ffffffff 00100000"},
		{"negative scheme", "00000002 0000000000000001 ffffffff 00000001 fffffff0"},
		{"long identity", "00000002 0000000000000001 ffffffff 00000001 00000000 7fffffff"},
	} {
		r := NewReader(bytes.NewReader(unhex(t, c.stream)), testLimit)
		for range 2 { // the error stays
			if err := r.Next(new(Packet)); !errors.Is(err, jute.ErrMalformed) {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
	full := AppendRequest(nil, &ClientRequest{Auth: []Identity{{"ip", "1"}}})
	for n := 1; n < len(full); n++ {
		if err := NewReader(bytes.NewReader(full[:n]), testLimit).Next(new(Packet)); err != io.ErrUnexpectedEOF {
			t.Errorf("%d bytes of a packet: %v", n, err)
		}
	}
}

// A length alone takes no memory.
func TestReaderTakesMemoryForWhatArrives(t *testing.T) {
	r := NewReader(bytes.NewReader(unhex(t, "00000002 0000000000000001 3fffffff 01")), 1<<30)
	if err := r.Next(new(Packet)); err != io.ErrUnexpectedEOF {
		t.Errorf("error %v", err)
	}
	if len(r.buf) > readerBuffer {
		t.Errorf("%d bytes were taken", len(r.buf))
	}
}

// TestOwn reads packets of all lengths in pieces of all lengths. What was made a packet's own stays, whatever is read later.
func TestOwn(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 50 {
		var stream []byte
		var want []Packet
		for i := range 200 {
			p := Packet{Type: Proposal, Zxid: int64(i)}
			switch n := r.IntN(10); {
			case n == 0:
				p.Data = make([]byte, r.IntN(200<<10))
			case n < 8:
				p.Data = make([]byte, r.IntN(300))
			}
			for k := range p.Data {
				p.Data[k] = byte(r.Uint32())
			}
			if r.IntN(4) == 0 {
				p.Auth = []Identity{{"ip", "::1"}}
			}
			stream, want = AppendPacket(stream, &p), append(want, p)
		}
		src := NewReader(&randomPieces{stream, r}, 1<<20)
		var got []Packet
		for range want {
			var p Packet
			if err := src.Next(&p); err != nil {
				t.Fatal(err)
			}
			if r.IntN(8) > 0 {
				src.Own(&p)
			} else {
				p.Data = bytes.Clone(p.Data)
			}
			got = append(got, p)
		}
		for i := range want {
			if !bytes.Equal(got[i].Data, want[i].Data) || (got[i].Data == nil) != (want[i].Data == nil) {
				t.Fatalf("round %d, packet %d has other data", round, i)
			}
		}
	}
}

// TestWholeLeavesData reads as long as whole packets are there: what was read before stays as it is, also beside packets that
// make the buffer larger or smaller, and one that is refused.
func TestWholeLeavesData(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for round := range 50 {
		var stream []byte
		var want [][]byte
		for i := range 300 {
			n := r.IntN(300)
			if r.IntN(40) == 0 {
				n = r.IntN(2 * keptBuffer)
			}
			p := Packet{Type: Request, Data: bytes.Repeat([]byte{byte(i)}, n)}
			if r.IntN(3) == 0 {
				p.Auth = []Identity{{"digest", "a:b"}}
			}
			stream, want = AppendPacket(stream, &p), append(want, p.Data)
		}
		stream = AppendPacket(stream, &Packet{Type: Request, Data: make([]byte, 3*keptBuffer)})
		src := NewReader(&randomPieces{stream, r}, 5*keptBuffer/2)
		var batch [][]byte
		check := func() {
			for i, b := range batch {
				if !bytes.Equal(b, want[i]) {
					t.Fatalf("round %d: a packet was overwritten by those that came with it", round)
				}
			}
			want, batch = want[len(batch):], nil
		}
		for {
			var p Packet
			if err := src.Next(&p); err != nil {
				check()
				if len(want) > 0 || !errors.Is(err, jute.ErrMalformed) {
					t.Fatalf("round %d: %d packets are missing, %v", round, len(want), err)
				}
				break
			}
			if batch = append(batch, p.Data); !src.Whole() {
				check()
			}
		}
	}
}

// TestFilled looks at the memory of transactions: what was filled holds those up to its last one, and comes back when it is
// given back; other packets have memory of their own.
func TestFilled(t *testing.T) {
	var stream []byte
	const n = 3000
	data := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 100+i%400) }
	for i := range n {
		stream = AppendPacket(stream, &Packet{Type: Proposal, Zxid: int64(i), Data: data(i)})
		stream = AppendPacket(stream, &Packet{Type: Ping, Zxid: int64(i), Data: data(i)})
	}
	src := NewReader(bytes.NewReader(stream), 1<<20)
	var live, pings [][]byte
	first, pieces := 0, 0
	for i := range 2 * n {
		var p Packet
		if err := src.Next(&p); err != nil {
			t.Fatal(err)
		}
		src.Own(&p)
		if p.Type == Ping {
			pings = append(pings, p.Data)
			continue
		}
		live = append(live, p.Data)
		for _, f := range src.Filled() {
			if f.Last >= p.Zxid || int(f.Last) < first {
				t.Fatalf("packet %d: memory is filled up to %d, after %d", i, f.Last, first)
			}
			for ; first <= int(f.Last); first++ {
				if !bytes.Equal(live[first], data(first)) {
					t.Fatalf("transaction %d was overwritten", first)
				}
			}
			src.Free(f.Memory)
			pieces++
		}
	}
	for i := first; i < n; i++ {
		if !bytes.Equal(live[i], data(i)) {
			t.Fatalf("transaction %d was overwritten", i)
		}
	}
	for i, p := range pings {
		if !bytes.Equal(p, data(i)) {
			t.Fatalf("ping %d was overwritten", i)
		}
	}
	if pieces < 5 {
		t.Errorf("%d pieces of memory were filled", pieces)
	}
}

// randomPieces gives a few bytes, or many, with each Read.
type randomPieces struct {
	rest []byte
	r    *rand.Rand
}

func (p *randomPieces) Read(b []byte) (int, error) {
	n := copy(b, p.rest[:min(len(p.rest), 1+p.r.IntN(1<<p.r.IntN(18)))])
	p.rest = p.rest[n:]
	return n, nil
}
