package admin

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/auth"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/txn"
	"github.com/quollhq/quoll/test/harness"
)

func TestEveryCommandIsJSON(t *testing.T) {
	w := newWorld(t, map[string]string{"admin.rateLimiterIntervalInMS": "0"})
	for _, c := range commands() {
		for _, name := range c.names {
			status, body := w.get("/commands/" + name)
			var doc map[string]any
			if err := json.Unmarshal([]byte(body), &doc); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if doc["command"] != c.names[0] {
				t.Errorf("%s: command is %v", name, doc["command"])
			}
			if want := 200; !c.auth && status != want || c.auth && status != 401 {
				t.Errorf("%s: status %d", name, status)
			}
		}
	}
}

func TestReadyOfRemoved(t *testing.T) {
	w := newWorld(t, nil)
	n := *w.n
	n.Mode = func() string { return "removed" }
	w.SetNode(&n)
	if status, body := w.get("/readyz"); status != 503 || !strings.Contains(body, "this member was removed from the ensemble") {
		t.Errorf("readyz: %d %q", status, body)
	}
}

func TestCommandsWithoutNode(t *testing.T) {
	w := newWorld(t, nil)
	w.SetNode(nil)
	for _, c := range commands() {
		_, body := w.get("/commands/" + c.names[0])
		if strings.Contains(body, notServing) == c.noNode {
			t.Errorf("%s: %s", c.names[0], body)
		}
	}
	if status, body := w.get("/readyz"); status != 503 || !strings.Contains(body, "[-] serving: ") {
		t.Errorf("readyz: %d %q", status, body)
	}
	if status, _ := w.get("/livez"); status != 200 {
		t.Errorf("livez: %d", status)
	}
	if status, body := w.get("/metrics"); status != 200 || !strings.Contains(body, "quoll_build_info") || strings.Contains(body, "znode_count") {
		t.Errorf("metrics: %d", status)
	}
	if status, body := w.get("/"); status != 200 || !strings.Contains(body, "clients are not served") {
		t.Errorf("page: %d", status)
	}
}

const digestAuth = "digest user:pw"

// limitRoot leaves the root to one identity.
func (w *world) limitRoot(id, scheme string, perms int32) {
	acl := proto.AppendACLs(nil, []proto.ACL{{Perms: perms, Scheme: scheme, ID: id}})
	w.apply(txn.Body{Type: proto.OpSetACL, Path: "/", ACL: acl, Version: 1})
}

func TestAuthorization(t *testing.T) {
	w := newWorld(t, map[string]string{"admin.rateLimiterIntervalInMS": "0"})
	w.snapshotFile("content")
	hash, err := auth.GenerateDigest("user:pw", "SHA1")
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, want int, header ...string) {
		t.Helper()
		if status, body := w.get("/commands/snapshot?streaming=false", header...); status != want {
			t.Errorf("%s: %d %s", what, status, body)
		}
	}
	check("open root, nobody", 401)
	check("open root, anybody", 200, "Authorization", digestAuth)
	check("open root, no data", 401, "Authorization", "digest")
	check("unknown scheme", 401, "Authorization", "nope x")
	w.limitRoot(hash, "digest", proto.PermAll)
	check("owner", 200, "Authorization", digestAuth)
	check("stranger", 403, "Authorization", "digest other:pw")
	w.limitRoot(hash, "digest", proto.PermAll&^proto.PermDelete)
	check("not all permissions", 403, "Authorization", digestAuth)
	w.limitRoot("127.0.0.1", "ip", proto.PermAll)
	check("by address", 200, "Authorization", "ip")
	check("a forwarded address is not believed", 200, "Authorization", "ip", "X-Forwarded-For", "10.0.0.1")
	w.Config.Auth.ForwardedFor = true
	check("another forwarded address", 403, "Authorization", "ip", "X-Forwarded-For", "10.0.0.1")
	w.limitRoot("10.0.0.1", "ip", proto.PermAll)
	check("the right forwarded address", 200, "Authorization", "ip", "X-Forwarded-For", "10.0.0.1")
}

func TestHandOverCommand(t *testing.T) {
	w := newWorld(t, nil)
	post := func(header ...string) (int, string) {
		t.Helper()
		return w.do(http.MethodPost, "/commands/hand_over", "", header...)
	}
	if status, body := post(); status != 401 {
		t.Errorf("nobody: %d %s", status, body)
	}
	if status, body := post("Authorization", digestAuth); status != 200 || !strings.Contains(body, `"leader" : 2`) {
		t.Errorf("%d %s", status, body)
	}
	w.host.err = errors.New("nobody else is there")
	if status, body := post("Authorization", digestAuth); status != 409 || !strings.Contains(body, "nobody else is there") {
		t.Errorf("%d %s", status, body)
	}
}

func TestSnapshotCommand(t *testing.T) {
	w := newWorld(t, map[string]string{"admin.rateLimiterIntervalInMS": "0"})
	w.snapshotFile("content")
	if status, body := w.get("/commands/snapshot", "Authorization", digestAuth); status != 200 || body != "content" {
		t.Errorf("%d %q", status, body)
	}
	w.host.err = errors.New("disk is full")
	if status, body := w.get("/commands/snap", "Authorization", digestAuth); status != 500 || !strings.Contains(body, `"error" : null`) {
		t.Errorf("%d %q", status, body)
	}
	if got := w.fails.snapshot.Load(); got != 1 {
		t.Errorf("%d failures counted", got)
	}
	w.Config.Storage.LastProcessedZxid = false
	if status, _ := w.get("/commands/snap", "Authorization", digestAuth); status != 500 {
		t.Errorf("without the last zxid: %d", status)
	}
	w.Config.Admin.Snapshot = false
	if status, _ := w.get("/commands/snap", "Authorization", digestAuth); status != 503 {
		t.Errorf("switched off: %d", status)
	}
}

func TestRestoreCommand(t *testing.T) {
	w := newWorld(t, nil)
	status, body := w.do(http.MethodPost, "/commands/restore", "content", "Authorization", digestAuth)
	if status != 200 || !strings.Contains(body, `"last_zxid" : 7`) || string(w.host.restored) != "content" {
		t.Errorf("%d %q, restored %q", status, body, w.host.restored)
	}
	if status, _ := w.do(http.MethodPost, "/commands/restore", "content", "Authorization", digestAuth); status != 429 {
		t.Errorf("again: %d", status)
	}
	if w.fails.restoreLimited.Load() != 1 {
		t.Error("the refusal was not counted")
	}
}

func TestSecretsAreHidden(t *testing.T) {
	w := newWorld(t, nil)
	w.Config.FileText = "tickTime=2000\nssl.keyStore.password = secret1\nssl.keyStore.location=/a\n" +
		"zookeeper.DigestAuthenticationProvider.superDigest=super:secret2\nssl.trustStore.password:secret3"
	for _, name := range []string{"initial_configuration", "system_properties"} {
		_, body := w.get("/commands/" + name)
		if strings.Contains(body, "secret") {
			t.Errorf("%s: %s", name, body)
		}
		if !strings.Contains(body, "2000") || !strings.Contains(body, "/a") {
			t.Errorf("%s lacks what is no secret: %s", name, body)
		}
	}
}

func TestProfilesAreLocal(t *testing.T) {
	w := newWorld(t, nil)
	h := w.routes()
	for addr, want := range map[string]int{"127.0.0.1:1": 200, "[::1]:1": 200, "10.0.0.1:1": 403, "nonsense": 403} {
		r := httptest.NewRequest(http.MethodGet, "/debug/pprof/cmdline", nil)
		r.RemoteAddr = addr
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Code != want {
			t.Errorf("%s: %d, want %d", addr, rec.Code, want)
		}
	}
	if status, _ := w.get("/debug/pprof/cmdline", "X-Forwarded-For", "10.0.0.1"); status != 403 {
		t.Errorf("by a proxy on this machine: %d", status)
	}
}

func TestCommandURL(t *testing.T) {
	for _, url := range []string{"/zk", "/zk/", "/a/b"} {
		w := newWorld(t, map[string]string{"admin.commandURL": url})
		base := "/" + strings.Trim(url, "/")
		for _, path := range []string{base, base + "/"} {
			if status, body := w.get(path); status != 200 || !strings.Contains(body, `/ruok">ruok</a>`) {
				t.Errorf("%s: %d %s", path, status, body)
			}
		}
		if _, body := w.get(base + "/ruok"); !strings.Contains(body, `"command" : "ruok"`) {
			t.Errorf("%s/ruok: %s", base, body)
		}
		if status, _ := w.get("/commands/ruok"); status != 404 {
			t.Errorf("the usual path: %d", status)
		}
	}
}

func TestCommandsAtTheRoot(t *testing.T) {
	w := newWorld(t, map[string]string{"admin.commandURL": "/"})
	if _, body := w.get("/ruok"); !strings.Contains(body, `"command" : "ruok"`) {
		t.Errorf("/ruok: %s", body)
	}
	if _, body := w.get("/"); !strings.Contains(body, `<a href="/ruok">ruok</a>`) {
		t.Errorf("/: %s", body)
	}
	if status, body := w.get("/livez"); status != 200 || body != "ok\n" {
		t.Errorf("/livez: %d %s", status, body)
	}
}

func TestMetricsPorts(t *testing.T) {
	path, roots := certificates(t)
	var ports [2]string
	for i := range ports {
		ports[i] = strconv.Itoa(harness.FreePort(t))
	}
	started(t, map[string]string{
		"metricsProvider.className": "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider",
		"metricsProvider.httpHost":  "127.0.0.1", "metricsProvider.httpPort": ports[0], "metricsProvider.httpsPort": ports[1],
		"metricsProvider.ssl.keyStore.location": path, "metricsProvider.ssl.trustStore.location": path,
		"metricsProvider.ssl.need.client.auth": "false", "metricsProvider.ssl.want.client.auth": "false",
	})
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer c.CloseIdleConnections()
	for _, url := range []string{"http://127.0.0.1:" + ports[0], "https://127.0.0.1:" + ports[1]} {
		res, err := c.Get(url + "/metrics")
		if err != nil {
			t.Error(err)
			continue
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || !strings.Contains(string(body), "\nznode_count 5\n") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// A label may lie in memory that is used again.
func TestQuotaLabelsAreCopied(t *testing.T) {
	w := newWorld(t, nil)
	request := []byte("app")
	for range 2 {
		w.QuotaExceeded(jute.Alias(request))
	}
	copy(request, "\xff\xff\xff")
	w.QuotaExceeded("app")
	if _, body := w.get("/metrics"); !strings.Contains(body, "\nquota_exceeded_error_per_namespace{key=\"app\"} 3\n") {
		t.Error("it was counted under another name")
	}
}

func TestMetricsReadRight(t *testing.T) {
	w := newWorld(t, nil)
	w.create("/a", "x")
	w.QuotaExceeded("a")
	w.n.Engine.Metrics.Reads.Add(10, time.Millisecond)
	_, body := w.get("/metrics")
	for _, want := range []string{
		"\nznode_count 6\n", "\nquota_exceeded_error_per_namespace{key=\"a\"} 1\n", "\nreadlatency_count 10\n", "\nreadlatency_sum 10\n",
		"# TYPE readlatency summary\n", "# TYPE packets_sent gauge\n", "# TYPE connection_rejected counter\n",
		"\nupdatelatency{quantile=\"0.5\"} NaN\n", "\nstartup_txns_loaded_sum 3\n", "\nquoll_slow_syncs_total 2\n", "go_gc_duration_seconds",
		"\njvm_pause_time_ms_count 0\n",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("lacks %q", want)
		}
	}
}

// certificates writes a server's key and certificate, and gives what trusts it.
func certificates(t *testing.T) (path string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	path = filepath.Join(t.TempDir(), "server.pem")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return path, roots
}

// started is an Admin that listens on a port of its own.
func started(t *testing.T, settings map[string]string) (*world, string) {
	t.Helper()
	all := map[string]string{"admin.serverAddress": "127.0.0.1", "admin.serverPort": "0"}
	for k, v := range settings {
		all[k] = v
	}
	w := newWorld(t, all)
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		w.Close(ctx)
	})
	return w, w.Addr().String()
}

func TestPortUnification(t *testing.T) {
	path, roots := certificates(t)
	w, addr := started(t, map[string]string{
		"admin.portUnification": "true", "ssl.quorum.keyStore.location": path, "ssl.quorum.trustStore.location": path,
	})
	silent, err := net.Dial("tcp", addr) // holds up nobody
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	for _, url := range []string{"http://" + addr, "https://" + addr} {
		res, err := c.Get(url + "/commands/ruok")
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || !strings.Contains(string(body), `"command" : "ruok"`) {
			t.Errorf("%s: %s, %v", url, body, err)
		}
		if got := res.Header.Get("Strict-Transport-Security"); (got != "") != strings.HasPrefix(url, "https") {
			t.Errorf("%s: Strict-Transport-Security is %q", url, got)
		}
	}
	c.CloseIdleConnections()
	if got := w.fails.insecure.Load(); got != 1 {
		t.Errorf("%d plain connections counted", got)
	}
}

func TestForceHTTPS(t *testing.T) {
	path, roots := certificates(t)
	_, addr := started(t, map[string]string{
		"admin.forceHttps": "true", "ssl.quorum.keyStore.location": path, "ssl.quorum.trustStore.location": path,
	})
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer c.CloseIdleConnections()
	res, err := c.Get("https://" + addr + "/livez")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res, err := c.Get("http://" + addr + "/livez"); err == nil {
		res.Body.Close()
		if res.StatusCode == http.StatusOK {
			t.Error("plain requests are answered")
		}
	}
}

func TestNeedClientAuth(t *testing.T) {
	path, roots := certificates(t)
	_, addr := started(t, map[string]string{
		"admin.forceHttps": "true", "admin.needClientAuth": "true",
		"ssl.quorum.keyStore.location": path, "ssl.quorum.trustStore.location": path,
	})
	get := func(conf *tls.Config) error {
		c := &http.Client{Transport: &http.Transport{TLSClientConfig: conf}}
		defer c.CloseIdleConnections()
		res, err := c.Get("https://" + addr + "/livez")
		if err == nil {
			res.Body.Close()
		}
		return err
	}
	if get(&tls.Config{RootCAs: roots}) == nil {
		t.Error("a client without certificate is let in")
	}
	pair, err := tls.LoadX509KeyPair(path, path)
	if err != nil {
		t.Fatal(err)
	}
	if err := get(&tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}); err != nil {
		t.Errorf("a client with a certificate: %v", err)
	}
}

func TestPortInUse(t *testing.T) {
	_, addr := started(t, nil)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, map[string]string{"admin.serverAddress": "127.0.0.1", "admin.serverPort": port})
	err = w.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "admin.serverPort") {
		t.Errorf("error %v", err)
	}
	w.Close(t.Context())
}

func TestRuntimeUnderTheNamesOfAJVM(t *testing.T) {
	w := newWorld(t, nil)
	_, body := w.get("/metrics")
	for _, want := range []string{
		`jvm_memory_bytes_used{area="heap"} `, `jvm_memory_bytes_committed{area="nonheap"} `, `jvm_memory_bytes_max{area="heap"} -1`,
		`jvm_memory_pool_bytes_used{pool="znodes"} `, `jvm_gc_collection_seconds_count{gc="Go"} `, "jvm_threads_current ", `jvm_info{runtime="Go"`,
	} {
		if !strings.Contains(body, "\n"+want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, never := range []string{`jvm_memory_bytes_used{area="heap"} 0`, `jvm_memory_bytes_used{area="nonheap"} 0`, `jvm_memory_pool_bytes_used{pool="znodes"} 0`, "jvm_threads_current 0"} {
		if strings.Contains(body, "\n"+never+"\n") {
			t.Errorf("%s", never)
		}
	}
	w = newWorld(t, map[string]string{"metricsProvider.exportJvmInfo": "false"})
	if _, body := w.get("/metrics"); strings.Contains(body, "jvm_memory") {
		t.Error("they cannot be left out")
	}
}
