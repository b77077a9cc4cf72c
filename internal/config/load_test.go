package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/internal/tlsconf"
)

// writeFile writes a file into a fresh directory and returns its path.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustLoad(t *testing.T, src Sources) (Config, []Warning) {
	t.Helper()
	cfg, ws, err := Load(src)
	if err != nil {
		t.Fatal(err)
	}
	return cfg, ws
}

func loadText(t *testing.T, text string, env ...string) (Config, []Warning) {
	t.Helper()
	return mustLoad(t, Sources{File: writeFile(t, "zoo.cfg", text), Env: env})
}

func warningTexts(ws []Warning) string {
	var b strings.Builder
	for _, w := range ws {
		b.WriteString(w.String() + "\n")
	}
	return b.String()
}

func TestLoadNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	cfg, ws := mustLoad(t, Sources{})
	if len(ws) > 0 {
		t.Errorf("warnings: %s", warningTexts(ws))
	}
	if cfg.Data.Dir != "./quoll-data" || cfg.Data.LogDir != "./quoll-data" {
		t.Errorf("data %+v", cfg.Data)
	}
	if cfg.Listen.Client.String() != ":2181" || !cfg.Listen.Client.Enabled || cfg.Listen.Secure.Enabled {
		t.Errorf("listen %+v", cfg.Listen)
	}
	if cfg.Admin.Address.String() != "0.0.0.0:8080" || !cfg.Admin.Address.Enabled {
		t.Errorf("admin %+v", cfg.Admin)
	}
	if cfg.TickTime != 3*time.Second || cfg.Session.MinTimeout != 6*time.Second || cfg.Session.MaxTimeout != time.Minute {
		t.Errorf("times %v %+v", cfg.TickTime, cfg.Session)
	}
	s := cfg.Storage
	if s.SnapSizeLimit != 4<<30 || s.PreAlloc != 64<<20 || s.LogSizeLimit >= 0 || !s.ForceSync || s.JuteMaxBuffer != 0xfffff || s.JuteExtra != 0xfffff {
		t.Errorf("storage %+v", s)
	}
	if cfg.ServerID() != 0 || cfg.SessionServerID() != 1 || cfg.Distributed() {
		t.Error("a server without a file runs alone")
	}
}

func TestLoadFile(t *testing.T) {
	dir := t.TempDir()
	cfg, ws := loadText(t, `
tickTime=2000
dataDir = `+dir+`
dataLogDir: /var/log/zk
clientPort=2182
clientPortAddress=127.0.0.1
minSessionTimeout=1000
maxSessionTimeout 90000
snapCount=0x1000
zookeeper.forceSync=no
snapshot.compression.method=gz
autopurge.purgeInterval=90m
autopurge.snapRetainCount=2
4lw.commands.whitelist=stat, ruok,,mntr
superUser=admin
superUser.2=root
superUser.10=wheel
jute.maxbuffer=4194304
authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider
`)
	if cfg.Listen.Client.String() != "127.0.0.1:2182" || cfg.Data.LogDir != "/var/log/zk" {
		t.Errorf("%+v %+v", cfg.Listen, cfg.Data)
	}
	if cfg.Session.MinTimeout != time.Second || cfg.Session.MaxTimeout != 90*time.Second || cfg.TickTime != 2*time.Second {
		t.Errorf("%+v", cfg.Session)
	}
	if s := cfg.Storage; s.SnapCount != 4096 || s.ForceSync || s.Compression != "gz" || s.JuteExtra != 4194304 {
		t.Errorf("%+v", s)
	}
	if cfg.Purge != (Purge{Retain: 3, Interval: 90 * time.Minute}) {
		t.Errorf("%+v", cfg.Purge)
	}
	if !slices.Equal(cfg.Listen.FourLetterWords, []string{"stat", "ruok", "mntr"}) {
		t.Errorf("%q", cfg.Listen.FourLetterWords)
	}
	if !slices.Equal(cfg.Auth.SuperUsers, []string{"admin", "root", "wheel"}) || !cfg.Auth.Has("sasl") || cfg.Auth.Has("x509") || !cfg.Auth.Has("digest") {
		t.Errorf("%+v", cfg.Auth)
	}
	got := warningTexts(ws)
	for _, want := range []string{"autopurge.snapRetainCount is below 3", "forceSync=no: acknowledged writes are lost", ":18: jute.maxbuffer is applied here, but Apache reads it from -Djute.maxbuffer only"} {
		if !strings.Contains(got, want) {
			t.Errorf("no warning %q in\n%s", want, got)
		}
	}
}

func TestPrecedence(t *testing.T) {
	path := writeFile(t, "zoo.cfg", "dataDir=/d\nclientPort=1\nsnapCount=10\nmaxCnxns=1\nglobalOutstandingLimit=1\nnio.sessionlessCnxnTimeout=1\n")
	src := Sources{
		File: path,
		Env: []string{
			"SERVER_JVMFLAGS=-Dzookeeper.snapCount=20 -Dzookeeper.maxCnxns=2 -Dzookeeper.globalOutstandingLimit=2 -Dzookeeper.nio.sessionlessCnxnTimeout=2",
			"JVMFLAGS=-Dzookeeper.maxCnxns=3 -Dzookeeper.globalOutstandingLimit=3 -Dzookeeper.nio.sessionlessCnxnTimeout=3",
			"QUOLL_GLOBAL_OUTSTANDING_LIMIT=4", "QUOLL_NIO_SESSIONLESS_CNXN_TIMEOUT=4", "QUOLL_CLIENT_PORT=", "PATH=/bin",
		},
		Flags: map[string]string{"nio.sessionlessCnxnTimeout": "5"},
	}
	cfg, _ := mustLoad(t, src)
	if cfg.Listen.Client.Port != 1 || cfg.Storage.SnapCount != 20 || cfg.Limits.Connections != 3 || cfg.Limits.Outstanding != 4 || cfg.Listen.SessionlessTimeout != 5*time.Millisecond {
		t.Errorf("port %d snapCount %d maxCnxns %d globalOutstandingLimit %d nio.sessionlessCnxnTimeout %v, want 1 20 3 4 5ms",
			cfg.Listen.Client.Port, cfg.Storage.SnapCount, cfg.Limits.Connections, cfg.Limits.Outstanding, cfg.Listen.SessionlessTimeout)
	}
}

// TestErrorsTogether checks that one run tells everything that is wrong, each
// with its place.
func TestErrorsTogether(t *testing.T) {
	path := writeFile(t, "zoo.cfg", "dataDir=/d\nclientPort=99999\nticktime=2\nsnapConut=3\ndigest.enabled=1\nforceSync=false\nelectionAlg=2\nminSessionTimeout=9\nmaxSessionTimeout=8\nssl.keyStore.passwrod=geheim\nservr.1=a:1:2\n")
	_, _, err := Load(Sources{
		File:  path,
		Env:   []string{"SERVER_JVMFLAGS=-Dzookeeper.maxCnxns=x -Dzookeeper.digest.enabeld=true", "QUOLL_NIO_SESSIONLESS_CNXN_TIMEOUT=soon"},
		Flags: map[string]string{"admin.serverPort": "http"},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		path + `:2: clientPort: found "99999", want a whole number (a TCP port) from 0 to 65535`,
		path + `:3: found the unknown key "ticktime", did you mean "tickTime"?`,
		path + `:4: found the unknown key "snapConut", did you mean "snapCount"?`,
		path + `:5: digest.enabled: found "1", want true or false`,
		path + `:6: forceSync: found "false", want yes or no`,
		path + `:7: electionAlg: found "2", want a whole number from 3 to 3`,
		path + `:8: minSessionTimeout: found "9", want minSessionTimeout (now 9ms) not above maxSessionTimeout (now 8ms)`,
		path + `:10: found the unknown key "ssl.keyStore.passwrod", did you mean "ssl.keyStore.password"?`,
		path + `:11: found the unknown key "servr.1", did you mean "server.1"?`,
		`SERVER_JVMFLAGS -Dzookeeper.maxCnxns: maxCnxns: found "x", want a whole number`,
		`SERVER_JVMFLAGS -Dzookeeper.digest.enabeld: found the unknown key "digest.enabeld", did you mean "digest.enabled"?`,
		`environment QUOLL_NIO_SESSIONLESS_CNXN_TIMEOUT: nio.sessionlessCnxnTimeout: found "soon", want a whole number of milliseconds`,
		`flag --admin-server-port: admin.serverPort: found "http", want a whole number`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no error %q in\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "geheim") {
		t.Error("the error shows a password")
	}
	var ke *KeyError
	if !errors.As(err, &ke) {
		t.Error("no *KeyError among the errors")
	}
}

func TestLongestRequest(t *testing.T) {
	cfg, ws := loadText(t, "dataDir=/d\nclientPort=1\n", "SERVER_JVMFLAGS=-Djute.maxbuffer=2147483647")
	if got := cfg.Storage.JuteMaxBuffer; got != mostJute || !strings.Contains(warningTexts(ws), "jute.maxbuffer is above") {
		t.Errorf("%d bytes, want %d, and a warning: %q", got, mostJute, warningTexts(ws))
	}
}

func TestWarnings(t *testing.T) {
	path := writeFile(t, "zoo.cfg", "dataDir=/d\nclientPort=1\nnio.numWorkerThreads=4\nnio.numSelectorThreads=2\nmaxResponseCacheSize=9\nmy.own.plugin.setting=1\nclientPort=2\nsnapCount=\nmetricsProvider.myOwn=3\nrequestThrottleLimit=5\nssl.keyStore.password=\n")
	cfg, ws, err := Load(Sources{File: path, Env: []string{
		"JVMFLAGS=-Xmx1g -Dcom.sun.management.jmxremote -Dzookeeper.log.dir=/logs", "QUOLL_SERVICE_HOST=10.0.0.1", "QUOLL_CLIENT_PORT=tcp://10.0.0.1:2181",
		"QUOLL_CLIENT_PORT_2181_TCP=tcp://10.0.0.1:2181", "QUOLL_CLIENT_PROT=3", "QUOLL_CONFIG=/etc/zoo.cfg", "QUOLL_WHATEVER_ELSE=1",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Listen.Client.Port != 2 || cfg.Storage.SnapCount != 400000 {
		t.Errorf("port %d, snapCount %d", cfg.Listen.Client.Port, cfg.Storage.SnapCount)
	}
	got := warningTexts(ws)
	for _, want := range []string{
		path + `:7: clientPort is set a second time; line 2 has no effect`,
		path + `:6: the key "my.own.plugin.setting" is unknown and has no effect`,
		path + `:8: snapCount has no value and is left out`,
		"JVM flags that have no meaning here: -Xmx1g -Dcom.sun.management.jmxremote\n",
		`environment QUOLL_CLIENT_PORT: holds "tcp://10.0.0.1:2181", an address that Kubernetes sets`,
		"environment QUOLL_CLIENT_PROT: no key has this variable, did you mean QUOLL_CLIENT_PORT?",
		"environment QUOLL_WHATEVER_ELSE: no key has this variable",
		"nio.numSelectorThreads (" + path + ":4), nio.numWorkerThreads (" + path + ":3): connections are served by Go's scheduler",
		"maxResponseCacheSize (" + path + ":5): replies are encoded straight from the tree",
		"log.dir (JVMFLAGS -Dzookeeper.log.dir): the log goes to standard error",
		"but the key is request_throttle_max_requests",
		"metricsProvider.myOwn (" + path + ":9): the metrics provider is built in",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no warning %q in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "not applicable here"); n != 1 {
		t.Errorf("%d warnings about keys that are not applicable, want one", n)
	}
	if strings.Contains(got, "SERVICE_HOST") || strings.Contains(got, "QUOLL_CONFIG") {
		t.Errorf("warnings about variables of others:\n%s", got)
	}
}

func TestDataDirIsNeededInAFile(t *testing.T) {
	_, _, err := Load(Sources{File: writeFile(t, "zoo.cfg", "clientPort=2181\n")})
	if err == nil || !strings.Contains(err.Error(), "zoo.cfg: dataDir: found nothing, want the directory") {
		t.Errorf("got %v", err)
	}
	_, _, err = Load(Sources{File: filepath.Join(t.TempDir(), "missing.cfg")})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want one that is os.ErrNotExist", err)
	}
}

func TestTLSNeedsAKeyStore(t *testing.T) {
	_, _, err := Load(Sources{File: writeFile(t, "zoo.cfg", "dataDir=/d\nsecureClientPort=2281\nssl.ciphersuites=TLS_NO_SUCH\nssl.enabledProtocols=SSLv3\nssl.trustStore.location=/t.bcfks\nadmin.forceHttps=true\n")})
	for _, want := range []string{
		"zoo.cfg:2: ssl.keyStore.location: found nothing, want the path of a key store, because secureClientPort is set",
		`zoo.cfg:3: ssl.ciphersuites: found "TLS_NO_SUCH", want at least one of TLS_`,
		`zoo.cfg:4: ssl.enabledProtocols: found "SSLv3", want TLSv1,`,
		`ssl.trustStore.type: found nothing, want JKS, PEM or PKCS12`,
		`zoo.cfg:6: ssl.quorum.keyStore.location: found nothing, want the path of a key store, because admin.forceHttps is true`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no error %q in\n%v", want, err)
		}
	}
}

func TestAdminTLS(t *testing.T) {
	text := "dataDir=/d\nclientPort=1\nadmin.portUnification=true\nssl.quorum.keyStore.location=/k.p12\nssl.quorum.clientAuth=want\n"
	cfg, _ := loadText(t, text)
	if o := cfg.AdminTLS(); o.KeyStore.Location != "/k.p12" || o.ClientAuth != tlsconf.NoClient || o.ClientHostnameVerification {
		t.Errorf("%+v", o)
	}
	if cfg.PeerTLS.ClientAuth != tlsconf.WantClient || !cfg.PeerTLS.ClientHostnameVerification {
		t.Errorf("%+v", cfg.PeerTLS)
	}
	cfg, _ = loadText(t, text+"admin.needClientAuth=true\n")
	if o := cfg.AdminTLS(); o.ClientAuth != tlsconf.NeedClient {
		t.Errorf("%+v", o)
	}
}

func TestX509ProviderComesWithTLS(t *testing.T) {
	cfg, _ := loadText(t, "dataDir=/d\nsecureClientPort=2281\nssl.keyStore.location=/k.jks\n")
	if !cfg.Auth.Has("x509") {
		t.Error("x509 is not switched on")
	}
	_, _, err := Load(Sources{File: writeFile(t, "zoo.cfg", "dataDir=/d\nsecureClientPort=2281\nssl.keyStore.location=/k.jks\nssl.authProvider=mine\n")})
	if err == nil || !strings.Contains(err.Error(), `ssl.authProvider: found "mine", want x509, or the suffix of an authProvider key`) {
		t.Errorf("got %v", err)
	}
}

func TestEnforcedAuthentication(t *testing.T) {
	cfg, _ := loadText(t, "dataDir=/d\nclientPort=1\nsessionRequireClientSASLAuth=true\n")
	if !slices.Equal(cfg.Auth.EnforceSchemes, []string{"sasl"}) {
		t.Errorf("%q", cfg.Auth.EnforceSchemes)
	}
	cfg, _ = loadText(t, "dataDir=/d\nclientPort=1\nenforce.auth.enabled=true\nenforce.auth.schemes=digest, ip\n")
	if !slices.Equal(cfg.Auth.EnforceSchemes, []string{"digest", "ip"}) {
		t.Errorf("%q", cfg.Auth.EnforceSchemes)
	}
	_, _, err := Load(Sources{File: writeFile(t, "zoo.cfg", "dataDir=/d\nclientPort=1\nenforce.auth.enabled=true\nenforce.auth.schemes=x509\n")})
	if err == nil || !strings.Contains(err.Error(), `"x509" is not`) {
		t.Errorf("got %v", err)
	}
	_, _, err = Load(Sources{File: writeFile(t, "zoo.cfg", "dataDir=/d\nclientPort=1\nenforce.auth.enabled=true\n")})
	if err == nil || !strings.Contains(err.Error(), "enforce.auth.schemes: found nothing, want at least one scheme") {
		t.Errorf("got %v", err)
	}
}

func TestJAASFromFlags(t *testing.T) {
	jaas := writeFile(t, "jaas.conf", "Server { x.DigestLoginModule required user_a=\"b\"; };")
	cfg, _ := mustLoad(t, Sources{File: writeFile(t, "zoo.cfg", "dataDir=/d\nclientPort=1\n"), Env: []string{"SERVER_JVMFLAGS=-Djava.security.auth.login.config=" + jaas}})
	if s := cfg.SASL.ServerSection(); s == nil || s.Users()["a"] != "b" {
		t.Errorf("section %+v", s)
	}
	_, _, err := Load(Sources{File: writeFile(t, "zoo.cfg", "dataDir=/d\nclientPort=1\nsasl.serverconfig=Other\n"), Env: []string{"SERVER_JVMFLAGS=-Djava.security.auth.login.config=" + jaas}})
	if err == nil || !strings.Contains(err.Error(), `zoo.cfg:3: sasl.serverconfig: found "Other", want a section of `+jaas) {
		t.Errorf("got %v", err)
	}
}

func TestPrometheusPort(t *testing.T) {
	cfg, _ := loadText(t, "dataDir=/d\nclientPort=1\nmetricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider\nmetricsProvider.httpPort=7070\nmetricsProvider.exportJvmInfo=false\n")
	if !cfg.Metrics.Prometheus || cfg.Metrics.Runtime || cfg.Metrics.HTTP.String() != "0.0.0.0:7070" || !cfg.Metrics.HTTP.Enabled || cfg.Metrics.HTTPS.Enabled {
		t.Errorf("%+v", cfg.Metrics)
	}
	cfg, _ = loadText(t, "dataDir=/d\nclientPort=1\n")
	if cfg.Metrics.Prometheus || !cfg.Metrics.Runtime || cfg.Metrics.HTTP.Enabled {
		t.Errorf("%+v", cfg.Metrics)
	}
}

func TestLatin1(t *testing.T) {
	_, ws := loadText(t, "dataDir=/d\nclientPort=1\nsuperUser=j\u00fcrgen\n")
	if !strings.Contains(warningTexts(ws), "read as ISO-8859-1") {
		t.Error("no warning about UTF-8 in the file")
	}
	cfg, _ := loadText(t, "dataDir=/d\nclientPort=1\nsuperUser=j\\u00fcrgen\n")
	if !slices.Equal(cfg.Auth.SuperUsers, []string{"j\u00fcrgen"}) {
		t.Errorf("%q", cfg.Auth.SuperUsers)
	}
}

func TestConfText(t *testing.T) {
	cfg, _ := loadText(t, "dataDir=/d/data\ndataLogDir=/d/log\nclientPort=2181\ntickTime=2000\n")
	got := string(cfg.AppendConf(nil, Live{ClientPort: 2181, SecurePort: -1, DataSize: 7, LogSize: 9, MaxClientCnxns: 60}))
	want := "clientPort=2181\nsecureClientPort=-1\ndataDir=/d/data/version-2\ndataDirSize=7\ndataLogDir=/d/log/version-2\ndataLogSize=9\n" +
		"tickTime=2000\nmaxClientCnxns=60\nminSessionTimeout=4000\nmaxSessionTimeout=40000\nclientPortListenBacklog=-1\nserverId=0\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestLoadClient(t *testing.T) {
	jaas := writeFile(t, "jaas.conf", "Client { x required username=\"u\" password=\"p\"; };")
	file := writeFile(t, "client.properties", "zookeeper.client.secure=true\nzookeeper.ssl.trustStore.location=/t.p12\nrequest.timeout=500\n")
	cl, ws, err := LoadClient(Sources{File: file, Env: []string{
		"CLIENT_JVMFLAGS=-Dzookeeper.ssl.hostnameVerification=false -Djava.security.auth.login.config=" + jaas,
		"JVMFLAGS=-Dzookeeper.snapCount=5", "QUOLL_CLIENT_PORT=2181",
	}})
	if err != nil || len(ws) > 0 {
		t.Fatal(err, warningTexts(ws))
	}
	if !cl.Secure || cl.TLS.TrustStore.Location != "/t.p12" || cl.TLS.HostnameVerification || cl.RequestTimeout != 500*time.Millisecond {
		t.Errorf("%+v", cl)
	}
	if u, p, ok := cl.SASL.ClientSection().Credentials(); !ok || u != "u" || p != "p" {
		t.Errorf("%q %q %v", u, p, ok)
	}
	_, _, err = LoadClient(Sources{File: writeFile(t, "c", "zookeeper.client.secrue=true\n")})
	if err == nil || !strings.Contains(err.Error(), `did you mean "client.secure"?`) {
		t.Errorf("got %v", err)
	}
}

func TestUnknownSettings(t *testing.T) {
	_, _, err := Load(Sources{Flags: map[string]string{"clientPrt": "1", "completely.unheard.of": "2"}})
	for _, want := range []string{
		`--set clientPrt: found the unknown key "clientPrt", did you mean "clientPort"?`,
		`--set completely.unheard.of: found the unknown key "completely.unheard.of"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
}

// What follows from there being no file is not complained of, too.
func TestNoFile(t *testing.T) {
	_, _, err := Load(Sources{File: "/does/not/exist.cfg"})
	if err == nil || err.Error() != "reading configuration: stat /does/not/exist.cfg: no such file or directory" {
		t.Errorf("%v", err)
	}
}

// TestLoadErrorHidesNoWarning has faults of several kinds in one file: each is told, wherever it stands.
func TestLoadErrorHidesNoWarning(t *testing.T) {
	path := writeFile(t, "zoo.cfg", "my.first=1\ndataDir=/d\ntickTime=abc\nmy.second=\\u12\nmy.third=2\nflushDelay=3\nclientPrt=1\n")
	_, ws, err := Load(Sources{File: path})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{path + `:3: tickTime: found "abc"`, path + `:4: found the escape`, path + `:7: found the unknown key "clientPrt"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("errors:\n%v\nlack %s", err, want)
		}
	}
	texts := warningTexts(ws)
	for _, want := range []string{path + `:1: the key "my.first" is unknown`, path + `:5: the key "my.third" is unknown`, "flushDelay (" + path + ":6)"} {
		if !strings.Contains(texts, want) {
			t.Errorf("warnings:\n%slack %s", texts, want)
		}
	}
}
