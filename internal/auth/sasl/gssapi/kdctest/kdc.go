// Package kdctest has a Kerberos realm for tests.
package kdctest

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
)

// Realm is the realm's name.
const Realm = "QUOLL.TEST"

// KDC is a realm of MIT's Kerberos on a loopback port.
type KDC struct {
	t    *testing.T
	dir  string
	Conf string // the path of krb5.conf
}

// Start makes a realm with principals, each with a keytab.
// It needs Debian's krb5-kdc and krb5-admin-server, and so runs only if
// QUOLL_TEST_KRB5 is set.
func Start(t *testing.T, principals ...string) *KDC {
	t.Helper()
	if os.Getenv("QUOLL_TEST_KRB5") == "" {
		t.Skip("QUOLL_TEST_KRB5 is not set: no test against a Kerberos KDC")
	}
	dir := t.TempDir()
	k := &KDC{t: t, dir: dir, Conf: filepath.Join(dir, "krb5.conf")}
	port := freePort(t)
	k.Write("krb5.conf", `[libdefaults]
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
`, Realm, Realm, port)
	k.Write("kdc.conf", `[kdcdefaults]
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
`, port, port, Realm, k.dir, k.dir, k.dir, k.dir)
	k.Run("kdb5_util", "create", "-s", "-r", Realm, "-P", "master")
	for _, p := range principals {
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

// Write writes a file of the realm.
func (k *KDC) Write(name, format string, args ...any) {
	k.t.Helper()
	if err := os.WriteFile(filepath.Join(k.dir, name), fmt.Appendf(nil, format, args...), 0o600); err != nil {
		k.t.Fatal(err)
	}
}

func (k *KDC) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	if path, err := exec.LookPath(name); err == nil {
		name = path
	} else {
		name = filepath.Join("/usr/sbin", name)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "KRB5_CONFIG="+k.Conf, "KRB5_KDC_PROFILE="+filepath.Join(k.dir, "kdc.conf"))
	return cmd
}

// Run runs one of Kerberos's programs for the realm.
func (k *KDC) Run(name string, args ...string) {
	k.t.Helper()
	if out, err := k.command(k.t.Context(), name, args...).CombinedOutput(); err != nil {
		k.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}

// addPrincipal makes a principal with random keys, which its keytab holds.
func (k *KDC) addPrincipal(name string) {
	k.t.Helper()
	k.Run("kadmin.local", "-r", Realm, "addprinc", "-randkey", name)
	k.Run("kadmin.local", "-r", Realm, "ktadd", "-k", k.Keytab(name), name)
}

// Keytab is the path of a principal's keytab.
func (k *KDC) Keytab(principal string) string {
	return filepath.Join(k.dir, strings.ReplaceAll(principal, "/", "_")+".keytab")
}

// serve runs the KDC until the test ends, and returns when it listens.
func (k *KDC) serve() {
	k.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	cmd := k.command(ctx, "krb5kdc", "-n", "-r", Realm, "-P", filepath.Join(k.dir, "pid"))
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
