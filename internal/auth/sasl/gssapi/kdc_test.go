package gssapi

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/keytab"
)

const (
	realm   = "QUOLL.TEST"
	service = "zookeeper/localhost"
)

// kdc is a realm of MIT's Kerberos on a loopback port.
type kdc struct {
	t    *testing.T
	dir  string
	conf string // the path of krb5.conf
}

// startKDC makes a realm with a service and some clients, each with a keytab.
// It needs Debian's krb5-kdc and krb5-admin-server, and so runs only if
// QUOLL_TEST_KRB5 is set.
func startKDC(t *testing.T) *kdc {
	t.Helper()
	if os.Getenv("QUOLL_TEST_KRB5") == "" {
		t.Skip("QUOLL_TEST_KRB5 is not set: no test against a Kerberos KDC")
	}
	k := &kdc{t: t, dir: t.TempDir()}
	k.conf = filepath.Join(k.dir, "krb5.conf")
	port := freePort(t)
	k.write("krb5.conf", `[libdefaults]
 default_realm = %s
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
 udp_preference_limit = 1
[realms]
 %s = {
  kdc = 127.0.0.1:%d
 }
`, realm, realm, port)
	k.write("kdc.conf", `[kdcdefaults]
 kdc_listen = 127.0.0.1:%d
 kdc_tcp_listen = 127.0.0.1:%d
[realms]
 %s = {
  database_name = %s/principal
  key_stash_file = %s/stash
  acl_file = %s/acl
  supported_enctypes = aes256-cts-hmac-sha384-192:normal aes128-cts-hmac-sha256-128:normal aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal
 }
[logging]
 kdc = FILE:%s/kdc.log
`, port, port, realm, k.dir, k.dir, k.dir, k.dir)
	k.run("kdb5_util", "create", "-s", "-r", realm, "-P", "master")
	for _, p := range []string{service, "zookeeper/elsewhere", "bob", "alice/admin"} {
		k.addPrincipal(p)
	}
	k.serve()
	return k
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (k *kdc) write(name, format string, args ...any) {
	k.t.Helper()
	if err := os.WriteFile(filepath.Join(k.dir, name), fmt.Appendf(nil, format, args...), 0o600); err != nil {
		k.t.Fatal(err)
	}
}

func (k *kdc) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	if path, err := exec.LookPath(name); err == nil {
		name = path
	} else {
		name = filepath.Join("/usr/sbin", name)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "KRB5_CONFIG="+k.conf, "KRB5_KDC_PROFILE="+filepath.Join(k.dir, "kdc.conf"))
	return cmd
}

func (k *kdc) run(name string, args ...string) {
	k.t.Helper()
	if out, err := k.command(k.t.Context(), name, args...).CombinedOutput(); err != nil {
		k.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}

// addPrincipal makes a principal with random keys, which its keytab holds.
func (k *kdc) addPrincipal(name string) {
	k.t.Helper()
	k.run("kadmin.local", "-r", realm, "addprinc", "-randkey", name)
	k.run("kadmin.local", "-r", realm, "ktadd", "-k", k.keytab(name), name)
}

func (k *kdc) keytab(principal string) string {
	return filepath.Join(k.dir, strings.ReplaceAll(principal, "/", "_")+".keytab")
}

// serve runs the KDC until the test ends, and returns when it listens.
func (k *kdc) serve() {
	k.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	cmd := k.command(ctx, "krb5kdc", "-n", "-r", realm, "-P", filepath.Join(k.dir, "pid"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		stop()
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() {
		stop()
		cmd.Wait() // says that it was killed
	})
	for sc := bufio.NewScanner(out); sc.Scan(); {
		if strings.Contains(sc.Text(), "starting") {
			return
		}
		k.t.Log(sc.Text())
	}
	log, _ := os.ReadFile(filepath.Join(k.dir, "kdc.log"))
	k.t.Fatalf("krb5kdc ended at once:\n%s", log)
}

// login is a client with the credentials of principal, whose tickets have
// session keys of the given type.
func (k *kdc) login(principal, enctype string) *client.Client {
	k.t.Helper()
	cfg, err := config.Load(k.conf)
	if err != nil {
		k.t.Fatal(err)
	}
	if enctype != "" {
		cfg, err = config.NewFromString(strings.Replace(readFile(k.t, k.conf), "[libdefaults]",
			"[libdefaults]\n default_tgs_enctypes = "+enctype+"\n default_tkt_enctypes = "+enctype, 1))
		if err != nil {
			k.t.Fatal(err)
		}
	}
	kt, err := keytab.Load(k.keytab(principal))
	if err != nil {
		k.t.Fatal(err)
	}
	cl := client.NewWithKeytab(principal, realm, kt, cfg, client.DisablePAFXFAST(true))
	if err := cl.Login(); err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(cl.Destroy)
	return cl
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
