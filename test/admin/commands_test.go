package admin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestCommandList(t *testing.T) {
	both(t, nil, func(t *testing.T, apache, quoll *scene) {
		for _, path := range []string{"/commands", "/commands/"} {
			got := quoll.get(path).body
			for _, more := range []string{"hand_over", "shed_connections"} {
				link := fmt.Sprintf("<a href=\"/commands/%s\">%[1]s</a>\n<br/>\n", more)
				if !strings.Contains(got, link) {
					t.Errorf("%s does not show %s", path, more)
				}
				got = strings.Replace(got, link, "", 1)
			}
			same(t, path, apache.get(path).body, got)
		}
	})
}

// documents are commands whose whole document is the same but for figures.
var documents = []string{
	"nope", "ruok", "ruok/", "connections", "cons", "configuration", "conf", "config", "dirs", "dump", "hash",
	"get_trace_mask", "gtmk", "set_trace_mask", "set_trace_mask?traceMask=5", "set_trace_mask?traceMask=x", "stmk?traceMask=-1",
	"is_read_only", "isro", "last_snapshot", "lsnp", "leader", "lead", "observer_connection_stat_reset", "orst",
	"stats", "stat", "server_stats", "srvr", "observers", "obsr", "voting_view", "watches", "wchc",
	"watches_by_path", "wchp", "watch_summary", "wchs", "zabstate", "restore", "snapshot",
	"connection_stat_reset", "crst", "stat_reset", "srst",
}

func TestCommands(t *testing.T) {
	both(t, nil, func(t *testing.T, apache, quoll *scene) {
		for _, name := range documents {
			a, q := apache.get("/commands/"+name), quoll.get("/commands/"+name)
			shape := func(s *scene, r reply) string { return unordered(name, s.shape(r.body)) }
			same(t, name, shape(apache, a), shape(quoll, q))
			if a.status != q.status || a.header.Get("Content-Type") != q.header.Get("Content-Type") {
				t.Errorf("%s: Apache answers %d %s, quoll %d %s", name, a.status, a.header.Get("Content-Type"), q.status, q.header.Get("Content-Type"))
			}
		}
		for _, name := range []string{"configuration", "dump", "watches", "watches_by_path", "watch_summary", "get_trace_mask"} {
			a, q := apache.get("/commands/"+name).body, quoll.get("/commands/"+name).body
			if name == "configuration" || name == "dump" {
				a = unordered(name, numbers.ReplaceAllString(apache.names(a), "N"))
				q = unordered(name, numbers.ReplaceAllString(quoll.names(q), "N"))
			}
			same(t, name, apache.names(a), quoll.names(q))
		}
	})
}

// emptySet is a time at which sessions were to expire that have been heard of
// since: Apache's clock may still have it.
var emptySet = regexp.MustCompile(`\n *"\w+" : \[ \],?`)

// unordered takes out of documents what Java leaves to chance: the order of
// fields, mostly.
func unordered(name, text string) string {
	switch name {
	case "dump":
		return emptySet.ReplaceAllString(text, "")
	case "stats", "stat", "server_stats", "srvr", "hash":
		return sorted(strings.ReplaceAll(text, ",\n", "\n"))
	}
	return text
}

// startScript are properties that come from the script which starts Apache's server.
var startScript = []string{"zookeeper.log.level", "zookeeper.jmx.log4j.disable"}

// Commands whose values cannot be the same have the same keys.
func TestCommandKeys(t *testing.T) {
	both(t, nil, func(t *testing.T, apache, quoll *scene) {
		same(t, "environment", keysOfJSON(t, apache.get("/commands/environment").body), keysOfJSON(t, quoll.get("/commands/environment").body))
		got := strings.Fields(keysOfJSON(t, quoll.get("/commands/monitor").body))
		for key := range strings.FieldsSeq(keysOfJSON(t, apache.get("/commands/monitor").body)) {
			if !slices.Contains(got, key) {
				t.Errorf("monitor lacks %s", key)
			}
		}
		got = strings.Fields(keysOfJSON(t, quoll.get("/commands/system_properties").body))
		for key := range strings.FieldsSeq(keysOfJSON(t, apache.get("/commands/system_properties").body)) {
			if strings.HasPrefix(key, "zookeeper.") && !slices.Contains(startScript, key) && !slices.Contains(got, key) {
				t.Errorf("system_properties lacks %s", key)
			}
		}
		conf := func(s *scene) string {
			var doc map[string]any
			if err := json.Unmarshal([]byte(s.get("/commands/initial_configuration").body), &doc); err != nil {
				t.Fatal(err)
			}
			text, _ := doc["initial_configuration"].(string)
			return sorted(s.shape(text))
		}
		same(t, "initial_configuration", conf(apache), conf(quoll))
	})
}

// keysOfJSON lists the keys of an object in their order.
func keysOfJSON(t *testing.T, text string) string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	var keys []string
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		var value any
		if err := d.Decode(&value); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key.(string))
	}
	return strings.Join(keys, "\n")
}

// Commands that need it ask for authorization, and say the same when it is not
// enough.
func TestAuthorization(t *testing.T) {
	both(t, nil, func(t *testing.T, apache, quoll *scene) {
		for _, auth := range []string{"digest", "nope a:b", "digest a b c", "digest user:pw"} {
			for _, path := range []string{"/commands/snapshot?streaming=false"} {
				a, q := apache.get(path, auth), quoll.get(path, auth)
				if a.status != q.status || apache.shape(a.body) != quoll.shape(q.body) {
					t.Errorf("%s with %q: Apache answers %d %s, quoll %d %s", path, auth, a.status, a.body, q.status, q.body)
				}
			}
		}
		for _, s := range []*scene{apache, quoll} {
			if err := s.client.AddAuth(s.ctx(), "digest", []byte("user:pw")); err != nil {
				t.Fatal(err)
			}
			s.limitRoot()
		}
		for _, auth := range []string{"digest other:pw", "digest user:pw", "ip"} {
			a, q := apache.get("/commands/snapshot?streaming=false", auth), quoll.get("/commands/snapshot?streaming=false", auth)
			if a.status != q.status || apache.shape(a.body) != quoll.shape(q.body) {
				t.Errorf("with %q: Apache answers %d %s, quoll %d %s", auth, a.status, a.body, q.status, q.body)
			}
		}
	})
}

// Requests that a command does not take are refused; Apache's server fails
// inside over some of them, so only quoll's is asked.
func TestMethods(t *testing.T) {
	both(t, nil, func(t *testing.T, apache, quoll *scene) {
		for _, c := range []struct {
			method, path, auth string
			status             int
		}{
			{http.MethodPut, "/commands/ruok", "", 405},
			{http.MethodTrace, "/commands/ruok", "", 403},
			{http.MethodHead, "/commands/ruok", "", 200},
			{http.MethodPost, "/commands/ruok", "", 405},
			{http.MethodGet, "/commands/restore", "digest user:pw", 405},
			{http.MethodPost, "/commands/restore", "", 401},
			{http.MethodPost, "/commands/shed_connections", "", 401},
		} {
			var auth []string
			if c.auth != "" {
				auth = []string{c.auth}
			}
			if got := quoll.do(c.method, c.path, nil, auth...); got.status != c.status {
				t.Errorf("%s %s: %d, want %d", c.method, c.path, got.status, c.status)
			}
		}
		for _, method := range []string{http.MethodPut, http.MethodTrace, http.MethodHead} {
			if a, q := apache.do(method, "/commands/ruok", nil), quoll.do(method, "/commands/ruok", nil); a.status != q.status || a.body != q.body {
				t.Errorf("%s: Apache answers %d %q, quoll %d %q", method, a.status, a.body, q.status, q.body)
			}
		}
	})
}
