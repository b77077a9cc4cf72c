package server_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quollhq/quoll/server"
)

// TestCheck has a server say what it would be, and leave no trace.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	s := newServer(t, data, nil)
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	if text := s.Summary(); !strings.Contains(text, "alone") || !strings.Contains(text, data) {
		t.Errorf("it says %q", text)
	}
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("it has made %s: %v", data, err)
	}
	file := filepath.Join(dir, "version-2")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := newServer(t, dir, nil).Check(); err == nil || !strings.Contains(err.Error(), "is a file") {
		t.Errorf("error %v", err)
	}
}

func TestCheckOfAMember(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "myid"), []byte("2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newServer(t, dir, map[string]string{"initLimit": "10", "syncLimit": "5",
		"server.1": "h1:2888:3888", "server.2": "h2:2889:3889", "server.3": "h3:2888:3888"})
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"server.2 of 3 members, votes", dir, "h2:2889 (quorum), h2:3889 (elections)"} {
		if text := s.Summary(); !strings.Contains(text, part) {
			t.Errorf("it does not say %q: %s", part, text)
		}
	}
}

// TestCheckTellsAll has several faults at once, which are all told, and what deserves a warning beside them.
func TestCheckTellsAll(t *testing.T) {
	dir := t.TempDir()
	log := &logText{}
	file := filepath.Join(dir, "zoo.cfg")
	if err := os.WriteFile(file, []byte("dataDir="+dir+"\nclientPort=0\nmy.key=1\ntickTime=abc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := server.New(server.Options{File: file, Output: log})
	if err == nil || !strings.Contains(err.Error(), "tickTime") {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(log.String(), "my.key") {
		t.Errorf("the log says %q", log)
	}

	if err := os.WriteFile(filepath.Join(dir, "version-2"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err = newServer(t, dir, map[string]string{"secureClientPort": "0", "ssl.keyStore.location": filepath.Join(dir, "no.pem")}).Check()
	if err == nil || !strings.Contains(err.Error(), "TLS for clients") || !strings.Contains(err.Error(), "is a file") {
		t.Errorf("error %v", err)
	}
}
