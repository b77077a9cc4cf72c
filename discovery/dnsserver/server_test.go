package dnsserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/quollhq/quoll/discovery"
	"github.com/quollhq/quoll/internal/servertest"
)

// start runs a server and returns a resolver that asks it, by UDP or TCP.
func start(t *testing.T, d *discovery.Discovery) func(network string) *net.Resolver {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- New(d, "Quoll.Internal").Serve(ctx, p, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	})
	return func(network string) *net.Resolver {
		return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			address := p.LocalAddr().String()
			if network == "tcp" {
				address = l.Addr().String()
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		}}
	}
}

func register(t *testing.T, d *discovery.Discovery, service, id, address string, port int) *discovery.Registration {
	t.Helper()
	r, err := d.Register(servertest.Context(t), discovery.Instance{Service: service, ID: id, Address: address, Port: port, Weight: 3})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Go's own resolver asks.
func TestServer(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	d := discovery.New(servertest.Dial(t, server))
	register(t, d, "orders", "a", "10.0.0.7", 8080)
	register(t, d, "orders", "b", "2001:db8::7", 8081)
	register(t, d, "orders", "c", "host.example", 8082)
	if err := register(t, d, "orders", "d", "10.0.0.8", 8083).Drain(); err != nil {
		t.Fatal(err)
	}
	resolver := start(t, d)
	for _, network := range []string{"udp", "tcp"} {
		r := resolver(network)
		for { // until the draining one has left
			addrs, err := r.LookupHost(ctx, "ORDERS.quoll.internal.")
			slices.Sort(addrs)
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(addrs) == "[10.0.0.7 2001:db8::7]" {
				break
			}
		}
		for _, name := range []string{"orders.quoll.internal.", "_orders._tcp.quoll.internal."} {
			_, srvs, err := r.LookupSRV(ctx, "", "", name)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range srvs {
				got = append(got, fmt.Sprintf("%s:%d", s.Target, s.Port))
				if s.Priority != 0 || s.Weight != 3 {
					t.Errorf("%+v", s)
				}
			}
			slices.Sort(got)
			want := []string{
				"10-0-0-7.addr.quoll.internal.:8080", "2001-0db8-0000-0000-0000-0000-0000-0007.addr.quoll.internal.:8081", "host.example.:8082",
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q", name, got)
			}
		}
		for target, want := range map[string]string{
			"10-0-0-7.addr.quoll.internal.":                                "10.0.0.7",
			"2001-0db8-0000-0000-0000-0000-0000-0007.addr.quoll.internal.": "2001:db8::7",
		} {
			if addrs, err := r.LookupHost(ctx, target); err != nil || !slices.Equal(addrs, []string{want}) {
				t.Errorf("%s: %q, %v", target, addrs, err)
			}
		}
		for _, name := range []string{"nobody.quoll.internal.", "a.b.quoll.internal.", "x.addr.quoll.internal."} {
			_, err := r.LookupHost(ctx, name)
			var failed *net.DNSError
			if !errors.As(err, &failed) || !failed.IsNotFound {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// Many instances do not fit into a packet: the client asks again by TCP.
func TestTruncated(t *testing.T) {
	var list many
	for i := range 200 {
		list = append(list, discovery.Instance{Address: fmt.Sprintf("10.0.1.%d", i), Port: 1})
	}
	query := question(t, "orders.quoll.internal.", dnsmessage.TypeSRV)
	var cut, whole dnsmessage.Message
	if err := cut.Unpack(answer(t.Context(), list, query, false)); err != nil || !cut.Truncated || len(cut.Answers) != 0 {
		t.Errorf("%+v, %v", cut.Header, err)
	}
	if err := whole.Unpack(answer(t.Context(), list, query, true)); err != nil || whole.Truncated || len(whole.Answers) != 200 || len(whole.Additionals) != 200 {
		t.Errorf("%+v, %v", whole.Header, err)
	}
}

func TestAnswers(t *testing.T) {
	list := many{{Address: "10.0.0.7"}, {Address: "10.0.0.7"}, {Address: "::1"}}
	for _, test := range []struct {
		name    string
		kind    dnsmessage.Type
		code    dnsmessage.RCode
		answers int
	}{
		{"orders.quoll.internal.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, 1},
		{"orders.quoll.internal.", dnsmessage.TypeAAAA, dnsmessage.RCodeSuccess, 1},
		{"orders.quoll.internal.", dnsmessage.TypeALL, dnsmessage.RCodeSuccess, 2},
		{"orders.quoll.internal.", dnsmessage.TypeSRV, dnsmessage.RCodeSuccess, 3},
		{"orders.quoll.internal.", dnsmessage.TypeTXT, dnsmessage.RCodeSuccess, 0},
		{"quoll.internal.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, 0},
		{"gone.quoll.internal.", dnsmessage.TypeA, dnsmessage.RCodeNameError, 0},
		{"broken.quoll.internal.", dnsmessage.TypeA, dnsmessage.RCodeServerFailure, 0},
		{"example.com.", dnsmessage.TypeA, dnsmessage.RCodeRefused, 0},
	} {
		var m dnsmessage.Message
		if err := m.Unpack(answer(t.Context(), list, question(t, test.name, test.kind), false)); err != nil {
			t.Fatal(err)
		}
		if m.RCode != test.code || len(m.Answers) != test.answers || m.ID != 7 || !m.Response {
			t.Errorf("%s %v: %+v", test.name, test.kind, m)
		}
	}
}

func question(t testing.TB, name string, kind dnsmessage.Type) []byte {
	t.Helper()
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}},
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// many are the instances of every service whose name does not say otherwise.
type many []discovery.Instance

func (many) zone() []string { return []string{"quoll", "internal"} }

func (m many) instances(_ context.Context, label string) ([]discovery.Instance, bool, error) {
	switch {
	case label == "gone":
		return nil, false, nil
	case strings.HasPrefix(label, "broken"):
		return nil, false, context.DeadlineExceeded
	}
	return m, true, nil
}

// What is answered can be read, and answers its question.
func FuzzAnswer(f *testing.F) {
	f.Add(question(f, "_orders._tcp.quoll.internal.", dnsmessage.TypeSRV))
	f.Add(question(f, "10-0-0-7.addr.quoll.internal.", dnsmessage.TypeALL))
	f.Add([]byte{0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, query []byte) {
		out := answer(t.Context(), many{{Address: "10.0.0.7", Port: 1}, {Address: "::1"}, {Address: "h"}}, query, false)
		if out == nil {
			return
		}
		var m dnsmessage.Message
		if err := m.Unpack(out); err != nil || !m.Response || len(out) > maxUDPAnswer {
			t.Errorf("%v: %+v", err, m)
		}
	})
}
