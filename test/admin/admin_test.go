// Package admin_test compares what operators and their tools get from quoll
// with what they get from Apache's server: four-letter words, commands,
// metrics, snapshots that move from one to the other.
package admin_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// scene is a server with one client that has done a few things.
type scene struct {
	*harness.Server
	t       *testing.T
	client  *client.Client
	session int64
}

// newScene starts subject. Config's Keys are added to what all scenes have.
func newScene(t *testing.T, subject harness.Subject, keys map[string]string) *scene {
	t.Helper()
	all := map[string]string{"admin.rateLimiterIntervalInMS": "0", "snapshot.compression.method": ""}
	for k, v := range keys {
		all[k] = v
	}
	s := &scene{Server: harness.Start(t, subject, harness.Config{Admin: true, Keys: all}), t: t}
	s.client = s.dial()
	ctx := s.ctx()
	for _, path := range []string{"/a", "/b"} {
		if _, err := s.client.Create(ctx, path, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"/e1", "/a/e2"} {
		if _, err := s.client.Create(ctx, path, nil, client.Ephemeral); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"/a", "/b"} {
		if _, _, _, err := s.client.GetW(ctx, path); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, _, err := s.client.ExistsW(ctx, "/nope"); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := s.client.ChildrenW(ctx, "/a"); err != nil {
		t.Fatal(err)
	}
	s.session = s.client.Session().ID()
	return s
}

func (s *scene) ctx() context.Context {
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	s.t.Cleanup(cancel)
	return ctx
}

func (s *scene) dial() *client.Client {
	s.t.Helper()
	c, err := client.Dial(s.ctx(), s.Addr())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

// both runs body with Apache's server and with quoll's, in the same scene.
func both(t *testing.T, keys map[string]string, body func(t *testing.T, apache, quoll *scene)) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts servers; not with -short")
	}
	body(t, newScene(t, harness.Apache, keys), newScene(t, harness.Quoll, keys))
}

func (s *scene) word(word string) string {
	s.t.Helper()
	text, err := harness.FourLetterWord(s.ctx(), s.Addr(), word)
	if err != nil {
		s.t.Fatalf("%s: %s: %v", s.Subject().Name(), word, err)
	}
	return text
}

// reply is an HTTP response that was read.
type reply struct {
	status int
	header http.Header
	body   string
}

func (s *scene) get(path string, auth ...string) reply {
	s.t.Helper()
	return s.do(http.MethodGet, path, nil, auth...)
}

func (s *scene) do(method, path string, body io.Reader, auth ...string) reply {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.ctx(), method, "http://"+s.AdminAddr()+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, a := range auth {
		req.Header.Set("Authorization", a)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(b)}
}

var (
	dates   = regexp.MustCompile(`[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \S+ \d{4}`)
	version = regexp.MustCompile(`3\.9\.4-[^,]*, built on \d{4}-\d\d-\d\d \d\d:\d\d UTC`)
	numbers = regexp.MustCompile(`-?\b\d+(\.\d+)?\b`)
	ports   = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	hexes   = regexp.MustCompile(`0x[0-9a-f]+`)
)

// names replaces what must differ between two servers.
func (s *scene) names(text string) string {
	text = strings.ReplaceAll(text, s.Dir(), "DIR")
	text = strings.ReplaceAll(text, "0x"+strconv.FormatUint(uint64(s.session), 16), "SESSION")
	text = strings.ReplaceAll(text, strconv.FormatInt(s.session, 10), "SESSION")
	text = version.ReplaceAllString(text, "VERSION")
	text = dates.ReplaceAllString(text, "DATE")
	return ports.ReplaceAllString(text, "ADDRESS")
}

// shape replaces all numbers, too.
func (s *scene) shape(text string) string {
	return numbers.ReplaceAllString(hexes.ReplaceAllString(s.names(text), "HEX"), "N")
}

func same(t *testing.T, what, apache, quoll string) {
	t.Helper()
	if apache != quoll {
		t.Errorf("%s: Apache answers\n%s\nand quoll\n%s", what, apache, quoll)
	}
}

// limitRoot leaves all permissions on the root to the client's own identities.
func (s *scene) limitRoot() {
	s.t.Helper()
	if _, err := s.client.SetACL(s.ctx(), "/", client.CreatorACL(), client.AnyVersion); err != nil {
		s.t.Fatal(err)
	}
}
