package sasl

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// exchange runs client against server until one ends.
func exchange(t *testing.T, client Client, server Server) (authzID string, err error) {
	t.Helper()
	token, err := client.Start()
	if err != nil {
		return "", err
	}
	for range 5 {
		reply, done, id, err := server.Step(token)
		if err != nil {
			return "", err
		}
		next, clientDone, err := client.Step(reply)
		if err != nil {
			return "", err
		}
		if done {
			if !clientDone {
				t.Error("the server is done, the client is not")
			}
			return id, nil
		}
		token = next
	}
	t.Fatal("exchange does not end")
	return "", nil
}

func TestDigestExchange(t *testing.T) {
	super := "secret"
	d := NewDigest(DigestConfig{
		Users:         map[string]string{"bob": "pw", "super": "old", "müller": "straße", "東": "京", `q"u\o`: "x", "empty": ""},
		SuperPassword: &super,
	})
	for _, c := range []struct {
		user, password, authzID string
		refused                 string
	}{
		{"bob", "pw", "", ""}, {"müller", "straße", "", ""}, {"東", "京", "", ""}, {`q"u\o`, "x", "", ""},
		{"empty", "", "", ""}, {"bob", "pw", "alice", ""}, {"super", "secret", "", ""},
		{"bob", "", "", "wrong password"}, {"bob", "pw ", "", "wrong password"}, {"super", "old", "", "wrong password"},
		{"eve", "pw", "", "unknown user"}, {"", "", "", "unknown user"},
	} {
		client := NewDigestClient(DigestClientConfig{User: c.user, Password: c.password, AuthzID: c.authzID})
		id, err := exchange(t, client, d.NewServer())
		if c.refused == "" && (err != nil || id != c.user) {
			t.Errorf("%q: %q, %v", c.user, id, err)
		}
		if c.refused != "" && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), c.refused)) {
			t.Errorf("%q with %q: %q, %v", c.user, c.password, id, err)
		}
	}
}

// The example of RFC 2831, section 4, with its server's names.
func TestDigestOfRFC(t *testing.T) {
	d := NewDigest(DigestConfig{Users: map[string]string{"chris": "secret"}, Service: "imap", Host: "elwood.innosoft.com"})
	d.nonce = func() string { return "OA6MG9tEQGm2hh" }
	s := d.NewServer()
	challenge, _, _, err := s.Step(nil)
	if err != nil || string(challenge) != `realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",charset=utf-8,algorithm=md5-sess` {
		t.Fatalf("challenge %s, %v", challenge, err)
	}
	proof, done, id, err := s.Step([]byte(`charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",nc=00000001,` +
		`cnonce="OA6MHXh6VqTrRk",digest-uri="imap/elwood.innosoft.com",response=d388dad90d4bbd760a152321f2143af7,qop=auth`))
	if err != nil || !done || id != "chris" || string(proof) != "rspauth=ea40f60335c427b5527b84dbabcdfffd" {
		t.Errorf("proof %s, done %v as %q, %v", proof, done, id, err)
	}
	if _, _, _, err := s.Step(nil); !errors.Is(err, ErrRefused) {
		t.Errorf("token after the end: %v", err)
	}
}

// answer is a right response of bob's, changed by edits, pairs of old and new.
func answer(t *testing.T, s Server, edits ...string) string {
	t.Helper()
	challenge, _, _, err := s.Step(nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, _, err := NewDigestClient(DigestClientConfig{User: "bob", Password: "pw"}).Step(challenge)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(edits...).Replace(string(resp))
}

func TestDigestResponses(t *testing.T) {
	d := NewDigest(DigestConfig{Users: map[string]string{"bob": "pw"}})
	for _, c := range []struct {
		edits []string
		want  string // of the error; empty: accepted
	}{
		{nil, ""},
		{[]string{",qop=auth", ""}, ""},
		{[]string{"charset=utf-8,", ""}, ""},
		{[]string{"nc=", "nonce-count="}, ""},
		{[]string{",", " , ", "charset", "CharSet"}, ""},
		{[]string{"zookeeper/", "ZooKeeper/"}, "wrong password"}, // accepted as name, but signed otherwise
		{[]string{"zookeeper/", "imap/"}, "digest-uri"},
		{[]string{"nc=00000001", "nonce-count=00000002"}, "nonce count"},
		{[]string{"qop=auth", "qop=auth-int"}, "quality"},
		{[]string{"utf-8", "latin-1"}, "charset"},
		{[]string{`realm="zk`, `realm="kz`}, "realm"},
		{[]string{`,nonce="`, `,nonce="x`}, "nonce is not"},
		{[]string{`username="bob"`, `username=bob,username=al`}, "more than one username"},
		{[]string{`username="bob",`, ``}, "without username"},
		{[]string{`response=`, `Response2=`}, "without response"},
		{[]string{`cnonce=`, `x=`}, "without cnonce"},
		{[]string{`username="bob"`, `username="bob"x`}, "comma expected"},
		{[]string{`username="bob"`, `username="bob`}, "comma expected"},
		{[]string{`,qop=auth`, `,qop="auth`}, "unmatched quote"},
		{[]string{`username="bob"`, `username bob`}, "'=' expected"},
		{[]string{`username`, ``}, "without name"},
	} {
		s := d.NewServer()
		_, done, _, err := s.Step([]byte(answer(t, s, c.edits...)))
		if done != (c.want == "") || c.want != "" && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q: done %v, %v; want %q", c.edits, done, err, c.want)
		}
	}
	s := d.NewServer()
	if _, _, _, err := s.Step(make([]byte, maxToken+1)); !errors.Is(err, ErrRefused) {
		t.Errorf("long token: %v", err)
	}
}

func TestDigestAuthorizer(t *testing.T) {
	for _, c := range []struct{ requested, want string }{{"", "bob as bob"}, {"al", "bob as al"}} {
		d := NewDigest(DigestConfig{Users: map[string]string{"bob": "pw"}, Authorizer: authorizerFunc(func(a, b string) (string, error) {
			return a + " as " + b, nil
		})})
		id, err := exchange(t, NewDigestClient(DigestClientConfig{User: "bob", Password: "pw", AuthzID: c.requested}), d.NewServer())
		if err != nil || id != c.want {
			t.Errorf("authorized as %q, %v; want %q", id, err, c.want)
		}
	}
	d := NewDigest(DigestConfig{Users: map[string]string{"bob": "pw"}, Authorizer: authorizerFunc(func(string, string) (string, error) {
		return "", errors.New("no such luck")
	})})
	if id, err := exchange(t, NewDigestClient(DigestClientConfig{User: "bob", Password: "pw"}), d.NewServer()); !errors.Is(err, ErrRefused) {
		t.Errorf("authorized as %q, %v", id, err)
	}
}

type authorizerFunc func(authenticated, requested string) (string, error)

func (f authorizerFunc) Authorize(a, r string) (string, error) { return f(a, r) }

func TestDigestClientChecksTheServer(t *testing.T) {
	for _, c := range []struct{ challenge, proof, want string }{
		{`algorithm=md5-sess`, "", "without nonce"},
		{`nonce=x,algorithm=md5`, "", "algorithm"},
		{`nonce=x,algorithm=md5-sess,qop="auth-int,auth-conf"`, "", "quality"},
		{`nonce=x,nonce=y,algorithm=md5-sess`, "", "more than one"},
		{`nonce=x,algorithm=md5-sess,qop="auth-int, auth"`, "rspauth=0", "does not know"},
		{`nonce=x,algorithm=md5-sess`, "", "does not know"},
	} {
		client := NewDigestClient(DigestClientConfig{User: "bob", Password: "pw"})
		_, _, err := client.Step([]byte(c.challenge))
		if err == nil {
			_, _, err = client.Step([]byte(c.proof))
		}
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: %v; want %q", c.challenge, c.proof, err, c.want)
		}
	}
}

func TestUnknownUserIsLogged(t *testing.T) {
	var log bytes.Buffer
	d := NewDigest(DigestConfig{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	exchange(t, NewDigestClient(DigestClientConfig{User: "eve"}), d.NewServer())
	if !strings.Contains(log.String(), "user=eve") {
		t.Errorf("log: %s", &log)
	}
}

func FuzzDirectives(f *testing.F) {
	f.Add([]byte(`username="b\"ob",realm=x , nonce="",,qop = auth`))
	f.Add([]byte(`a=b c="d" e`))
	f.Add([]byte(`="`))
	f.Fuzz(func(t *testing.T, token []byte) {
		got, err := parseDirectives(token, []string{"username"})
		if err != nil {
			if !errors.Is(err, ErrRefused) {
				t.Fatal(err)
			}
			return
		}
		// What was read and is written again must read the same.
		var b []byte
		for name, value := range got {
			b = append(appendQuoted(b, name, value), ',')
		}
		again, err := parseDirectives(b, nil)
		if err != nil || len(again) != len(got) {
			t.Fatalf("%q is %q, which reads %q, %v", token, b, again, err)
		}
		for name, value := range got {
			if again[name] != value {
				t.Fatalf("%s: %q became %q", name, value, again[name])
			}
		}
	})
}

func FuzzDigestServer(f *testing.F) {
	d := NewDigest(DigestConfig{Users: map[string]string{"bob": "pw"}})
	d.nonce = func() string { return "n" }
	f.Add([]byte{}, []byte(`username="bob",realm="zk-sasl-md5",nonce="n",cnonce="c",digest-uri="zookeeper/zk-sasl-md5",response=0`))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		s := d.NewServer()
		if _, done, _, err := s.Step(first); done || err != nil && !errors.Is(err, ErrRefused) {
			t.Fatal(done, err)
		}
		if _, done, id, err := s.Step(second); done && id != "bob" || !done && !errors.Is(err, ErrRefused) && len(first) <= maxToken {
			t.Fatal(done, id, err)
		}
	})
}

func FuzzDigestClient(f *testing.F) {
	f.Add([]byte(`realm="a",nonce="b",algorithm=md5-sess,charset=utf-8`), []byte("rspauth=0"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		c := NewDigestClient(DigestClientConfig{User: "bob", Password: "pw"})
		c.Step(first)
		if _, done, err := c.Step(second); done || !errors.Is(err, ErrRefused) && err != nil {
			t.Fatal(done, err)
		}
	})
}
