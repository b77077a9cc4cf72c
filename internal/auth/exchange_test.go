package auth

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/auth/sasl"
	"github.com/quollhq/quoll/internal/proto"
)

// scripted is an Exchange that does what it is told.
type scripted struct {
	reply []byte
	done  bool
	id    string
	err   error
}

func (s scripted) Step([]byte) ([]byte, bool, string, error) { return s.reply, s.done, s.id, s.err }

func TestSASL(t *testing.T) {
	sasls := map[string]string{"1": classPrefix + "SASLAuthenticationProvider"}
	required := PolicyOptions{RequireSASL: true}
	failure := scripted{err: errors.New("wrong password")}
	for _, c := range []struct {
		name  string
		o     Options
		x     Exchange
		token []byte
		want  SASLOutcome
	}{
		{"challenge", Options{}, scripted{reply: []byte("c")}, []byte{}, SASLOutcome{Token: []byte("c")}},
		{"user", Options{}, scripted{reply: []byte("r"), done: true, id: "bob"}, []byte("x"), SASLOutcome{Token: []byte("r"), Add: []ID{{"sasl", "bob"}}}},
		{"super", Options{SASL: SASLOptions{SuperUsers: []string{"al", "bob"}}}, scripted{done: true, id: "bob"}, []byte("x"),
			SASLOutcome{Add: []ID{{"sasl", "bob"}, {"super", ""}}}},
		{"nameless is not super", Options{SASL: SASLOptions{SuperUsers: []string{""}}}, scripted{done: true}, []byte("x"),
			SASLOutcome{Add: []ID{{"sasl", ""}}}},
		{"failure", Options{}, failure, []byte("x"), SASLOutcome{Code: proto.AuthFailed, Close: true}},
		{"failure allowed", Options{SASL: SASLOptions{AllowFailed: true}}, failure, []byte("x"), SASLOutcome{}},
		{"failure though required", Options{Classes: sasls, Policy: required, SASL: SASLOptions{AllowFailed: true}}, failure, []byte("x"),
			SASLOutcome{Code: proto.SessionClosedRequireSASLAuth, Close: true}},
		{"not configured", Options{}, nil, []byte("x"), SASLOutcome{}},
		{"null token", Options{}, scripted{}, nil, SASLOutcome{Close: true, Silent: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := mustNew(t, c.o).SASL(c.x, c.token, Peer{}); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestSASLByDigest(t *testing.T) {
	r := mustNew(t, Options{})
	server := sasl.NewDigest(sasl.DigestConfig{Users: map[string]string{"bob": "pw"}}).NewServer()
	client := sasl.NewDigestClient(sasl.DigestClientConfig{User: "bob", Password: "pw"})
	token, err := client.Start()
	for range 2 {
		if err != nil {
			t.Fatal(err)
		}
		out := r.SASL(server, token, Peer{})
		if out.Close || out.Code != proto.OK {
			t.Fatalf("refused: %+v", out)
		}
		if token, _, err = client.Step(out.Token); len(out.Add) > 0 {
			if err != nil || out.Add[0] != (ID{"sasl", "bob"}) {
				t.Fatalf("%+v, %v", out, err)
			}
			return
		}
	}
	t.Fatal("exchange did not end")
}

func TestPolicy(t *testing.T) {
	str := func(s string) *string { return &s }
	sasls := map[string]string{"1": classPrefix + "SASLAuthenticationProvider"}
	for _, c := range []struct {
		name         string
		o            PolicyOptions
		accepts      string // of digest, sasl, ip and nobody
		saslRequired bool
	}{
		{"none", PolicyOptions{}, "digest sasl ip -", false},
		{"schemes alone", PolicyOptions{Schemes: str("sasl")}, "digest sasl ip -", false},
		{"digest", PolicyOptions{Enforce: true, Schemes: str("digest")}, "digest", false},
		{"two", PolicyOptions{Enforce: true, Schemes: str(" digest , sasl,")}, "digest sasl", true},
		{"require sasl", PolicyOptions{RequireSASL: true, Enforce: true, Schemes: str("digest")}, "sasl", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := mustNew(t, Options{Classes: sasls, Policy: c.o}).Policy()
			var got []string
			for _, ids := range [][]ID{{{"digest", "x"}}, {{"other", ""}, {"sasl", "x"}}, {{"ip", "x"}}, nil} {
				if p.Satisfied(ids) {
					got = append(got, strings.Join(append(schemesOf(ids), "-")[max(len(ids)-1, 0):max(len(ids), 1)], ""))
				}
			}
			if strings.Join(got, " ") != c.accepts || p.SASLRequired() != c.saslRequired {
				t.Errorf("accepts %q, sasl required %v", got, p.SASLRequired())
			}
		})
	}
	for _, o := range []PolicyOptions{{Enforce: true}, {Enforce: true, Schemes: str("")}, {Enforce: true, Schemes: str("digest,nope")}, {RequireSASL: true}} {
		if _, err := New(Options{Policy: o}); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}
