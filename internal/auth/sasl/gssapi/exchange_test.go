package gssapi

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/auth/kerberos"
	"github.com/quollhq/quoll/internal/auth/sasl"
)

func (k *kdc) acceptor(change func(*Config)) *Acceptor {
	k.t.Helper()
	m, err := kerberos.NewMapper(kerberos.Options{DefaultRealm: realm})
	if err != nil {
		k.t.Fatal(err)
	}
	cfg := Config{Keytab: k.Keytab(service), Principal: service + "@" + realm, Authorizer: m}
	if change != nil {
		change(&cfg)
	}
	a, err := New(cfg)
	if err != nil {
		k.t.Fatal(err)
	}
	return a
}

// exchange runs client against server until one ends, and yields the tokens of
// the client, too.
func exchange(t *testing.T, client sasl.Client, server sasl.Server) (authzID string, sent [][]byte, err error) {
	t.Helper()
	token, err := client.Start()
	if err != nil {
		return "", nil, err
	}
	for range 6 {
		sent = append(sent, token)
		reply, done, id, err := server.Step(token)
		if err != nil || done {
			return id, sent, err
		}
		if token, _, err = client.Step(reply); err != nil {
			return "", sent, err
		}
	}
	t.Fatal("exchange does not end")
	return "", nil, nil
}

func TestKerberos(t *testing.T) {
	k := startKDC(t)
	t.Run("exchange", func(t *testing.T) { testExchange(t, k) })
	t.Run("java", func(t *testing.T) { testJava(t, k) })
	t.Run("refusals", func(t *testing.T) { testRefusals(t, k) })
	t.Run("keytab", func(t *testing.T) { testKeytab(t, k) })
}

func testExchange(t *testing.T, k *kdc) {
	a := k.acceptor(nil)
	for _, enctype := range []string{"", "aes128-cts-hmac-sha1-96", "aes256-cts-hmac-sha1-96", "aes128-cts-hmac-sha256-128", "aes256-cts-hmac-sha384-192"} {
		for _, mutual := range []bool{false, true} {
			for principal, want := range map[string]string{"bob": "bob@" + realm, "alice/admin": "alice/admin@" + realm} {
				cl := NewClient(ClientConfig{Login: k.login(principal, enctype), Service: service, Mutual: mutual, AuthzID: "whoever"})
				id, sent, err := exchange(t, cl, a.NewServer())
				if err != nil || id != want {
					t.Errorf("%s by %q, mutual %v: %q, %v", principal, enctype, mutual, id, err)
				}
				if got := len(sent); got != map[bool]int{false: 2, true: 3}[mutual] {
					t.Errorf("client of mutual %v sends %d tokens", mutual, got)
				}
			}
		}
	}
}

func testRefusals(t *testing.T, k *kdc) {
	refused := func(name string, err error, want string) {
		t.Helper()
		if !errors.Is(err, sasl.ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", name, err, want)
		}
	}
	bob := k.login("bob", "")
	a := k.acceptor(nil)
	_, sent, err := exchange(t, NewClient(ClientConfig{Login: bob, Service: service}), a.NewServer())
	if err != nil {
		t.Fatal(err)
	}
	_, _, _, err = a.NewServer().Step(sent[0])
	refused("replay", err, "used before")

	late := k.acceptor(func(c *Config) { c.Now = func() time.Time { return time.Now().Add(6 * time.Minute) } })
	_, _, err = exchange(t, NewClient(ClientConfig{Login: bob, Service: service}), late.NewServer())
	refused("skew", err, "apart")

	stale := k.acceptor(func(c *Config) { c.Now = func() time.Time { return time.Now().Add(1000 * time.Hour) } })
	_, _, err = exchange(t, NewClient(ClientConfig{Login: bob, Service: service}), stale.NewServer())
	refused("expired", err, "expired")

	_, _, err = exchange(t, NewClient(ClientConfig{Login: bob, Service: "zookeeper/elsewhere"}), a.NewServer())
	refused("ticket of another service", err, "ticket")

	s := a.NewServer()
	client := NewClient(ClientConfig{Login: bob, Service: service, Mutual: true})
	token, err := client.Start()
	if err != nil {
		t.Fatal(err)
	}
	proof, _, _, err := s.Step(token)
	if err != nil {
		t.Fatal(err)
	}
	_, _, _, err = s.Step([]byte("x"))
	refused("token instead of none", err, "empty token")
	_, _, _, err = s.Step(nil)
	refused("token after the end", err, "over")
	proof[len(proof)-1] ^= 1
	_, _, err = client.Step(proof)
	refused("forged proof", err, "proof")
}

// testJava has the JDK's client talk to the acceptor.
func testJava(t *testing.T, k *kdc) {
	java, err := exec.LookPath("java")
	if err != nil {
		t.Skip("no java in PATH: the JDK's GSSAPI client is not compared")
	}
	a := k.acceptor(nil)
	for _, c := range []struct{ principal, authzID, mutual string }{
		{"bob", "bob@" + realm, "false"}, {"bob", "", "true"}, {"alice/admin", "bob", "true"},
	} {
		cmd := exec.Command(java, "-Djava.security.krb5.conf="+k.Conf, filepath.Join("testdata", "GssClient.java"),
			c.principal+"@"+realm, k.Keytab(c.principal), "zookeeper", "localhost", c.authzID, c.mutual)
		if id, err := converse(cmd, a.NewServer()); err != nil || id != c.principal+"@"+realm {
			t.Errorf("%+v: %q, %v", c, id, err)
		}
	}
}

// converse runs a client that is a process of its own.
func converse(cmd *exec.Cmd, server sasl.Server) (authzID string, err error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return "", err
	}
	defer func() {
		in.Close()
		if waitErr := cmd.Wait(); err == nil {
			err = waitErr
		}
	}()
	for sc := bufio.NewScanner(out); sc.Scan() && sc.Text() != "done"; {
		token, err := base64.StdEncoding.DecodeString(sc.Text())
		if err != nil {
			return "", err
		}
		reply, done, id, err := server.Step(token)
		if err != nil {
			return "", err
		}
		if done {
			authzID = id
			continue
		}
		fmt.Fprintln(in, base64.StdEncoding.EncodeToString(reply))
	}
	return authzID, nil
}

func testKeytab(t *testing.T, k *kdc) {
	bob := k.login("bob", "")
	a := k.acceptor(nil)
	ok := func(when string) {
		t.Helper()
		if _, _, err := exchange(t, NewClient(ClientConfig{Login: k.login("bob", ""), Service: service}), a.NewServer()); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	ok("before")
	// New keys for the service, which the keytab has in addition.
	k.Run("kadmin.local", "-r", realm, "ktadd", "-k", k.Keytab(service), service)
	ok("with new keys")
	if _, _, err := exchange(t, NewClient(ClientConfig{Login: bob, Service: service}), a.NewServer()); err != nil {
		t.Errorf("ticket under the old key: %v", err)
	}
	k.Write(filepath.Base(k.Keytab(service)), "garbage")
	ok("with a broken keytab")

	for _, c := range []struct{ keytab, principal, want string }{
		{k.Keytab(service), service + "@" + realm, "keytab"},
		{filepath.Join(filepath.Dir(k.Conf), "none"), service + "@" + realm, "no such file"},
		{k.Keytab("bob"), service + "@" + realm, "no key of zookeeper/localhost@QUOLL.TEST"},
		{k.Keytab("bob"), "bob@" + realm, "want service/host@REALM"},
		{k.Keytab("bob"), service, "want service/host@REALM"},
	} {
		if _, err := New(Config{Keytab: c.keytab, Principal: c.principal}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s for %s: %v; want %q", c.keytab, c.principal, err, c.want)
		}
	}
}
