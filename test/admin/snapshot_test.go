package admin_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

const anyUser = "digest user:pw"

// A snapshot that one server streams is restored by the other, both ways, and
// by itself.
func TestSnapshotsMove(t *testing.T) {
	both(t, nil, func(t *testing.T, apache, quoll *scene) {
		for _, from := range []*scene{apache, quoll} {
			from.fill("first")
			snap := from.snapshot()
			from.fill("later")
			for _, to := range []*scene{quoll, apache} {
				name := fmt.Sprintf("%s's in %s", from.Subject().Name(), to.Subject().Name())
				got := to.do(http.MethodPost, "/commands/restore", bytes.NewReader(snap), anyUser)
				if got.status != http.StatusOK || !strings.Contains(got.body, `"last_zxid" : `) {
					t.Errorf("%s: %d %s", name, got.status, got.body)
					continue
				}
				to.client = to.dial()
				to.check("first", 50)
				to.check("later", 0)
				to.fill("more")
				to.check("more", 50)
			}
		}
	})
}

// What quoll restored is there after a kill, as is what was written then.
func TestRestoreIsDurable(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers; not with -short")
	}
	s := newScene(t, harness.Quoll, nil)
	s.fill("first")
	snap := s.snapshot()
	s.fill("later")
	_, before, err := s.client.Get(s.ctx(), "/later")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.do(http.MethodPost, "/commands/restore", bytes.NewReader(snap), anyUser); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	s.Kill()
	s.Restart()
	s.client = s.dial()
	s.check("first", 50)
	s.check("later", 0)
	s.fill("more")
	_, stat, err := s.client.Get(s.ctx(), "/more")
	if err != nil || stat.Czxid <= before.Czxid {
		t.Errorf("zxids went back: %x after %x (%v)", stat.Czxid, before.Czxid, err)
	}
	s.Kill()
	s.Restart()
	s.client = s.dial()
	s.check("first", 50)
	s.check("more", 50)
}

// The session of a client that the snapshot knows goes on, with its ephemerals;
// one that it does not know has expired.
func TestSessionsAfterRestore(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers; not with -short")
	}
	s := newScene(t, harness.Quoll, nil)
	snap := s.snapshot()
	late := s.dial()
	gone := late.Session()
	if _, err := late.Create(s.ctx(), "/late", nil, client.Ephemeral); err != nil {
		t.Fatal(err)
	}
	if got := s.do(http.MethodPost, "/commands/restore", bytes.NewReader(snap), anyUser); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if _, ok, err := s.client.Exists(s.ctx(), "/e1"); err != nil || !ok {
		t.Errorf("ephemeral of the restored session: %v, %v", ok, err)
	}
	if s.client.Session().ID() != s.session {
		t.Error("the session that the snapshot has did not go on")
	}
	select {
	case <-gone.Done():
	case <-s.ctx().Done():
		t.Error("the session that the snapshot does not have goes on")
	}
	if _, ok, err := s.client.Exists(s.ctx(), "/late"); err != nil || ok {
		t.Errorf("ephemeral of the session that is gone: %v, %v", ok, err)
	}
}

// A damaged snapshot changes nothing.
func TestRestoreOfDamage(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers; not with -short")
	}
	s := newScene(t, harness.Quoll, nil)
	s.fill("first")
	snap := s.snapshot()
	for i := range 40 {
		damaged := bytes.Clone(snap)
		switch i {
		case 0:
			damaged = nil
		case 1:
			damaged = damaged[:len(damaged)/2]
		case 2:
			damaged = append(damaged, 0)
		default:
			damaged[i*len(damaged)/41] ^= 0x20
		}
		if got := s.do(http.MethodPost, "/commands/restore", bytes.NewReader(damaged), anyUser); got.status != http.StatusInternalServerError {
			t.Errorf("damage %d: %d %s", i, got.status, got.body)
		}
	}
	s.fill("later")
	s.check("later", 50)
	if got := s.word("mntr"); !strings.Contains(got, "zk_restore_error_count\t40\n") {
		t.Error("the failures were not counted")
	}
}

// The compressions that servers write snapshots in are known without a name.
func TestRestoreCompressed(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers; not with -short")
	}
	for _, method := range []string{"gz", "snappy"} {
		s := newScene(t, harness.Quoll, map[string]string{"snapshot.compression.method": method})
		s.fill("first")
		snap := s.snapshot()
		s.fill("later")
		if got := s.do(http.MethodPost, "/commands/restore", bytes.NewReader(snap), anyUser); got.status != http.StatusOK {
			t.Errorf("%s: %d %s", method, got.status, got.body)
		}
		s.check("first", 50)
		s.check("later", 0)
	}
}

func TestSnapshotHeaders(t *testing.T) {
	both(t, nil, func(t *testing.T, apache, quoll *scene) {
		for _, query := range []string{"", "?streaming=true", "?streaming=false", "?streaming=TRUE", "?streaming=no"} {
			a, q := apache.get("/commands/snapshot"+query, anyUser), quoll.get("/commands/snapshot"+query, anyUser)
			if a.status != q.status || a.header.Get("Content-Type") != q.header.Get("Content-Type") {
				t.Errorf("%q: Apache answers %d %s, quoll %d %s", query, a.status, a.header.Get("Content-Type"), q.status, q.header.Get("Content-Type"))
			}
			for _, r := range []reply{a, q} {
				if !strings.HasPrefix(value(r.header, "last_zxid"), "0x") {
					t.Errorf("%q: last_zxid is %q", query, value(r.header, "last_zxid"))
				}
				size, err := strconv.Atoi(value(r.header, "snapshot_size"))
				if err != nil || strings.HasPrefix(r.body, "ZKSN") && size != len(r.body) {
					t.Errorf("%q: snapshot_size is %q, %d bytes came", query, value(r.header, "snapshot_size"), len(r.body))
				}
			}
			if strings.HasPrefix(a.body, "ZKSN") != strings.HasPrefix(q.body, "ZKSN") {
				t.Errorf("%q: only one of them streams", query)
			}
		}
	})
}

// value finds a header whatever the case of its name.
func value(h http.Header, name string) string {
	for key, values := range h {
		if strings.EqualFold(key, name) {
			return values[0]
		}
	}
	return ""
}

func TestSwitchedOffAndLimited(t *testing.T) {
	keys := map[string]string{"admin.snapshot.enabled": "false", "admin.restore.enabled": "false"}
	both(t, keys, func(t *testing.T, apache, quoll *scene) {
		a, q := apache.get("/commands/snapshot", anyUser), quoll.get("/commands/snapshot", anyUser)
		if a.status != q.status || a.body != q.body {
			t.Errorf("snapshot: Apache answers %d %s, quoll %d %s", a.status, a.body, q.status, q.body)
		}
		a, q = apache.do(http.MethodPost, "/commands/restore", strings.NewReader("x"), anyUser), quoll.do(http.MethodPost, "/commands/restore", strings.NewReader("x"), anyUser)
		if a.status != q.status || a.body != q.body {
			t.Errorf("restore: Apache answers %d %s, quoll %d %s", a.status, a.body, q.status, q.body)
		}
	})
	both(t, map[string]string{"admin.rateLimiterIntervalInMS": "600000000"}, func(t *testing.T, apache, quoll *scene) {
		for range 2 {
			a, q := apache.get("/commands/snapshot?streaming=false", anyUser), quoll.get("/commands/snapshot?streaming=false", anyUser)
			if a.status != q.status || a.body != q.body {
				t.Errorf("Apache answers %d %s, quoll %d %s", a.status, a.body, q.status, q.body)
			}
		}
	})
}

func TestShedConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers; not with -short")
	}
	s := newScene(t, harness.Quoll, nil)
	post := func(body string) reply {
		return s.do(http.MethodPost, "/commands/shed_connections", strings.NewReader(body), anyUser)
	}
	for _, body := range []string{"", "{", "{}", `{"percentage":-1}`, `{"percentage":101}`} {
		if got := post(body); got.status != http.StatusBadRequest || !strings.Contains(got.body, `"error" : "`) {
			t.Errorf("%q: %d %s", body, got.status, got.body)
		}
	}
	if got := post(`{"percentage":0}`); got.status != http.StatusOK || !strings.Contains(got.body, `"connections_shed" : 0`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := post(`{"percentage":100}`); got.status != http.StatusOK || !strings.Contains(got.body, `"connections_shed" : 1`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	if _, _, err := s.client.Get(s.ctx(), "/a"); err != nil {
		t.Errorf("the client did not come back: %v", err)
	}
	if s.client.Session().ID() != s.session {
		t.Error("the session did not go on")
	}
}

// fill makes 50 children of /name.
func (s *scene) fill(name string) {
	s.t.Helper()
	if _, err := s.client.Create(s.ctx(), "/"+name, nil); err != nil && !errors.Is(err, client.ErrNodeExists) {
		s.t.Fatal(err)
	}
	for i := range 50 {
		_, err := s.client.Create(s.ctx(), fmt.Sprintf("/%s/%d", name, i), []byte("data"))
		if err != nil && !errors.Is(err, client.ErrNodeExists) {
			s.t.Fatal(err)
		}
	}
}

// check counts the children of /name; 0 means that it is not there.
func (s *scene) check(name string, want int) {
	s.t.Helper()
	names, err := s.client.ChildNames(s.ctx(), "/"+name)
	if want == 0 && errors.Is(err, client.ErrNoNode) {
		return
	}
	if err != nil || len(names) != want {
		s.t.Errorf("%s: /%s has %d children, want %d (%v)", s.Subject().Name(), name, len(names), want, err)
	}
}

// snapshot asks for one as a stream.
func (s *scene) snapshot() []byte {
	s.t.Helper()
	got := s.get("/commands/snapshot?streaming=true", anyUser)
	if got.status != http.StatusOK || len(got.body) == 0 {
		s.t.Fatalf("snapshot: %d %s", got.status, got.body)
	}
	return []byte(got.body)
}
