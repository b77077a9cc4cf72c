package client

import (
	"strings"
	"testing"
)

// The values are those of RFC 2831's second example with ZooKeeper's digest-uri
// instead of acap/elwood.innosoft.com, computed with another implementation.
func TestDigestMD5(t *testing.T) {
	m := &digestMD5{user: "chris", password: "secret", cnonce: "OA9BSuZWMSpW8m"}
	if first, err := m.Start(); err != nil || len(first) != 0 {
		t.Fatalf("start: %q, %v", first, err)
	}
	challenge := `realm="elwood.innosoft.com",nonce="OA9BSXrbuRhWay",qop="auth",algorithm=md5-sess,charset=utf-8`
	resp, done, err := m.Next([]byte(challenge))
	if err != nil || done {
		t.Fatalf("%v, %v", done, err)
	}
	for _, want := range []string{
		`charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="OA9BSXrbuRhWay",nc=00000001,`,
		`cnonce="OA9BSuZWMSpW8m",digest-uri="zookeeper/zk-sasl-md5"`, `response=` + wantResponse, `qop=auth`,
	} {
		if !strings.Contains(string(resp), want) {
			t.Errorf("response %s lacks %s", resp, want)
		}
	}
	if _, done, err := m.Next([]byte("rspauth=" + wantRspauth)); err != nil || !done {
		t.Errorf("the server's proof: %v, %v", done, err)
	}
	m.expected = strings.Repeat("0", 32)
	if _, _, err := m.Next([]byte("rspauth=" + wantRspauth)); err == nil {
		t.Error("a server that does not know the password is taken for authentic")
	}
}

func TestDigestMD5Refusals(t *testing.T) {
	for _, challenge := range []string{
		``, `nonce="x"`, `realm="r",algorithm=md5-sess`, `nonce="x",algorithm=md5`,
		`nonce="x",algorithm=md5-sess,qop="auth-conf"`, `nonce="x`, `nonce="x\`, `nonce`,
	} {
		m := &digestMD5{user: "u", password: "p"}
		if _, _, err := m.Next([]byte(challenge)); err == nil {
			t.Errorf("%q is accepted", challenge)
		}
	}
}

func FuzzDigestMD5(f *testing.F) {
	f.Add(`realm="r",nonce="n",qop="auth",algorithm=md5-sess,charset=utf-8`)
	f.Add(`nonce=a\,b="\"",x=`)
	f.Add(`rspauth=00`)
	f.Fuzz(func(t *testing.T, challenge string) {
		m := &digestMD5{user: `u"\`, password: "pä", cnonce: "c"}
		resp, _, err := m.Next([]byte(challenge))
		if err != nil {
			return
		}
		fields, err := parseDigest(string(resp))
		if err != nil || fields["username"] != m.user {
			t.Fatalf("response %q: %v", resp, err)
		}
	})
}

const (
	wantResponse = "8ef1eca4e427bb4af2fa95c9a0804168"
	wantRspauth  = "2db3d1d7fbe5016140c7589fe8690a4f"
)
