package client

import (
	"errors"
	"strings"
	"testing"
)

func TestValidatePath(t *testing.T) {
	for path, want := range map[string]string{
		"/":             "",
		"/a":            "",
		"/a/b.c/..d/.e": "",
		"/a b/ä/日本":     "",
		"/...":          "",
		"":              "Path length must be > 0",
		"a":             "Path must start with / character",
		"/a/":           "Path must not end with / character",
		"//":            "Path must not end with / character",
		"//a":           `Invalid path string "//a" caused by empty node name specified @1`,
		"/a//b":         `Invalid path string "/a//b" caused by empty node name specified @3`,
		"/.":            `Invalid path string "/." caused by relative paths not allowed @1`,
		"/a/./b":        `Invalid path string "/a/./b" caused by relative paths not allowed @3`,
		"/a/../b":       `Invalid path string "/a/../b" caused by relative paths not allowed @4`,
		"/a\x00":        "Invalid path string \"/a\x00\" caused by null character not allowed @2",
		"/a\x1fb":       "Invalid path string \"/a\x1fb\" caused by invalid character @2",
		"/ä\u007f":      "Invalid path string \"/ä\u007f\" caused by invalid character @2",
		"/\U0001F600":   "Invalid path string \"/\U0001F600\" caused by invalid character @1",
		"/\uf8ff":       "Invalid path string \"/\uf8ff\" caused by invalid character @1",
		"/\uffff":       "Invalid path string \"/\uffff\" caused by invalid character @1",
	} {
		err := ValidatePath(path)
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", path, err)
		case want != "" && (err == nil || err.Error() != want || !errors.Is(err, ErrBadArguments)):
			t.Errorf("%q: %v, want %s", path, err, want)
		}
	}
}

func TestJoin(t *testing.T) {
	if Join("/", "a") != "/a" || Join("/a", "b") != "/a/b" {
		t.Error(Join("/", "a"), Join("/a", "b"))
	}
}

func TestParseServers(t *testing.T) {
	for list, want := range map[string]string{
		"a":                        "a:2181",
		"a:":                       "a:2181",
		"a:1,b , c:3":              "a:1 b:2181 c:3",
		"a:1/root/app":             "a:1 | /root/app",
		"a/":                       "a:2181",
		"[::1]:5,[::1],::1":        "[::1]:5 [::1]:2181 [::1]:2181",
		"127.0.0.1,h.example:2182": "127.0.0.1:2181 h.example:2182",
		"":                         "error",
		",":                        "error",
		"/app":                     "error",
		"a:0":                      "error",
		"a:65536":                  "error",
		"a:b":                      "error",
		"a:1/app/":                 "error",
		"a:1:2":                    "error",
		"a b":                      "error",
		"a:1\n":                    "a:1",
	} {
		servers, chroot, err := parseServers(list)
		got := strings.Join(servers, " ")
		if chroot != "" {
			got += " | " + chroot
		}
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: %s (%v), want %s", list, got, err, want)
		}
	}
}

func TestChroot(t *testing.T) {
	c := &Client{chroot: "/app"}
	for client, server := range map[string]string{"/": "/app", "/a": "/app/a"} {
		if got := c.serverPath(client); got != server {
			t.Errorf("%s is %s at the server", client, got)
		}
		if got := c.clientPath(server); got != client {
			t.Errorf("%s is %s at the client", server, got)
		}
	}
	for _, outside := range []string{ConfigPath, "/application", "/"} {
		if got := c.clientPath(outside); got != outside {
			t.Errorf("%s became %s", outside, got)
		}
	}
}
