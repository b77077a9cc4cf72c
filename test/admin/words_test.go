package admin_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/test/harness"
)

// keysOf is what stands before sep on each line.
func keysOf(text, sep string) []string {
	var keys []string
	for line := range strings.Lines(text) {
		key, _, _ := strings.Cut(strings.TrimRight(line, "\n"), sep)
		keys = append(keys, key)
	}
	return keys
}

func TestFourLetterWords(t *testing.T) {
	both(t, nil, func(t *testing.T, apache, quoll *scene) {
		// Exact but for names.
		for _, word := range []string{"ruok", "isro", "gtmk", "wchs", "wchp", "wchc", "dump", "hash", "crst", "srst"} {
			if word == "dump" {
				same(t, word, dump(apache), dump(quoll))
				continue
			}
			same(t, word, apache.names(apache.word(word)), quoll.names(quoll.word(word)))
		}
		// Exact but for figures.
		for _, word := range []string{"conf", "cons", "dirs", "stat", "srvr"} {
			same(t, word, sorted(apache.shape(apache.word(word))), sorted(quoll.shape(quoll.word(word))))
		}
		same(t, "keys of envi", strings.Join(keysOf(apache.word("envi"), "="), "\n"), strings.Join(keysOf(quoll.word("envi"), "="), "\n"))
		for _, word := range []string{"nope", "\xff\xf4\xff\xfd"} {
			same(t, word, apache.word(word), quoll.word(word))
		}
		same(t, "stmk", apache.word("stmk\x00\x00\x00\x00\x00\x00\x00\x07"), quoll.word("stmk\x00\x00\x00\x00\x00\x00\x00\x07"))
		same(t, "gtmk after stmk", apache.word("gtmk"), quoll.word("gtmk"))
	})
}

var sets = regexp.MustCompile(`Sets \(\d+\)`)

// dump is the answer to dump, without what Apache's clocks leave to chance: sets
// in which nothing is left, and when a connection would be closed.
func dump(s *scene) string {
	text := sets.ReplaceAllString(s.names(s.word("dump")), "Sets")
	head, conns, _ := strings.Cut(text, "Connections dump:\n")
	var lines []string
	for line := range strings.Lines(head) {
		if !strings.HasPrefix(line, "0 expire at ") {
			lines = append(lines, line)
		}
	}
	for line := range strings.Lines(conns) {
		if !strings.Contains(line, " expire at ") {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func sorted(text string) string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// mntr has every line of Apache's, whole numbers where Apache has such.
func TestMonitorWord(t *testing.T) {
	both(t, nil, func(t *testing.T, apache, quoll *scene) { compareMonitor(t, apache, quoll) })
}

func TestMonitorWordWithPrometheus(t *testing.T) {
	both(t, prometheusKeys(), func(t *testing.T, apache, quoll *scene) { compareMonitor(t, apache, quoll) })
}

func prometheusKeys() map[string]string {
	return map[string]string{
		"metricsProvider.className":     "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider",
		"metricsProvider.httpHost":      "127.0.0.1",
		"metricsProvider.httpPort":      "0",
		"metricsProvider.exportJvmInfo": "false",
	}
}

func compareMonitor(t *testing.T, apache, quoll *scene) {
	t.Helper()
	got := monitorKinds(quoll.word("mntr"))
	for key, kind := range monitorKinds(apache.word("mntr")) {
		if got[key] == "" {
			t.Errorf("mntr lacks %s", key)
		} else if got[key] != kind {
			t.Errorf("%s is a %s with Apache and a %s here", key, kind, got[key])
		}
	}
}

// monitorKinds tells for each key of mntr what its value is.
func monitorKinds(text string) map[string]string {
	kinds := make(map[string]string)
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "\t")
		switch {
		case value != "NaN" && strings.ContainsAny(value, "abcdfghijklmnopqrstuvwxyz"):
			kinds[key] = "text"
		case value == "NaN" || strings.Contains(value, "."):
			kinds[key] = "number with a fraction"
		default:
			kinds[key] = "whole number"
		}
	}
	return kinds
}

func TestWhitelist(t *testing.T) {
	keys := map[string]string{"4lw.commands.whitelist": "ruok, cons"}
	both(t, keys, func(t *testing.T, apache, quoll *scene) {
		for _, word := range []string{"ruok", "stat", "conf", "isro", "stmk\x00\x00\x00\x00\x00\x00\x00\x07"} {
			same(t, word, apache.word(word), quoll.word(word))
		}
		for _, s := range []*scene{apache, quoll} {
			if got := s.word("srvr"); !strings.Contains(got, "Mode: standalone\n") {
				t.Errorf("%s: srvr, which always is allowed: %q", s.Subject().Name(), got)
			}
		}
	})
}

// Recent digests are kept for every 128th transaction, and are right.
func TestHash(t *testing.T) {
	both(t, nil, func(t *testing.T, apache, quoll *scene) {
		for _, s := range []*scene{apache, quoll} {
			for i := range 130 {
				if _, err := s.client.Create(s.ctx(), fmt.Sprintf("/h%d", i), nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		a, q := apache.word("hash"), quoll.word("hash")
		same(t, "zxids of hash", strings.Join(keysOf(a, ":"), ""), strings.Join(keysOf(q, ":"), ""))
		if !strings.HasPrefix(q, "80: ") {
			t.Errorf("hash: %q", q)
		}
		same(t, "command hash", unordered("hash", apache.shape(apache.get("/commands/hash").body)),
			unordered("hash", quoll.shape(quoll.get("/commands/hash").body)))
	})
}

// A word may come in pieces, and the answer comes although the client has
// already said that it will send no more.
func TestWordInPieces(t *testing.T) {
	harness.Each(t, func(t *testing.T, subject harness.Subject) {
		s := harness.Start(t, subject, harness.Config{})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for _, part := range []string{"ru", "ok"} {
			if _, err := io.WriteString(conn, part); err != nil {
				t.Fatal(err)
			}
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(conn)
		if err != nil || string(got) != "imok" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// Words are answered on the secure port and on one port for both kinds of
// clients, too.
func TestWordsByTLS(t *testing.T) {
	certs := harness.NewCertificates(t)
	unified := certs.Keys()
	unified["client.portUnification"] = "true"
	unified["serverCnxnFactory"] = "org.apache.zookeeper.server.NettyServerCnxnFactory"
	harness.Each(t, func(t *testing.T, subject harness.Subject) {
		secure := harness.Start(t, subject, harness.Config{Secure: true, Keys: certs.Keys()})
		both := harness.Start(t, subject, harness.Config{Keys: unified})
		for _, c := range []struct {
			addr string
			tls  bool
		}{{secure.Addr(), false}, {secure.SecureAddr(), true}, {both.Addr(), false}, {both.Addr(), true}} {
			for word, want := range map[string]string{"ruok": "imok", "isro": "rw", "srvr": "Zookeeper version: 3.9.4"} {
				if got := askWord(t, certs, c.addr, c.tls, word); !strings.HasPrefix(got, want) {
					t.Errorf("%s at %s, TLS %v: %q", word, c.addr, c.tls, got)
				}
			}
		}
	})
}

func askWord(t *testing.T, certs *harness.Certificates, addr string, secure bool, word string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var d interface {
		DialContext(ctx context.Context, network, addr string) (net.Conn, error)
	} = &net.Dialer{}
	if secure {
		d = &tls.Dialer{Config: certs.ClientTLS(t, true)}
	}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, word); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(conn)
	if err != nil {
		t.Errorf("%s: %v after %q", word, err, b)
	}
	return string(b)
}
