package sasl

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// javaClient is the JDK's DIGEST-MD5 client in a process of its own.
type javaClient struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Scanner
}

func startJava(t *testing.T) *javaClient {
	t.Helper()
	java, err := exec.LookPath("java")
	if err != nil {
		t.Skip("no java in PATH: the JDK's DIGEST-MD5 client is not compared")
	}
	cmd := exec.Command(java, filepath.Join("testdata", "DigestClient.java"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	return &javaClient{t: t, in: in, out: bufio.NewScanner(out)}
}

// say sends a line and reads the answer; failed is the JDK's complaint.
func (j *javaClient) say(format string, args ...any) (token []byte, done bool, failed string) {
	j.t.Helper()
	fmt.Fprintf(j.in, format+"\n", args...)
	if !j.out.Scan() {
		j.t.Fatal("the JDK's client ended")
	}
	if message, ok := strings.CutPrefix(j.out.Text(), "error "); ok {
		return nil, false, message
	}
	words := strings.Split(j.out.Text(), " ")
	token, err := base64.StdEncoding.DecodeString(words[1])
	if err != nil {
		j.t.Fatal(err)
	}
	return token, words[2] == "true", ""
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestJavaClient(t *testing.T) {
	j := startJava(t)
	d := NewDigest(DigestConfig{Users: map[string]string{"bob": "pw", "müller": "straße", "東": "京", `q"u\o`: `p"\`}})
	for _, c := range []struct {
		user, password, authzID string
		ok                      bool
	}{
		{"bob", "pw", "", true}, {"bob", "pw", "bob", true}, {"bob", "pw", "al ice", true}, {"müller", "straße", "", true},
		{"東", "京", "東", true}, {`q"u\o`, `p"\`, "", true}, {"bob", "wrong", "", false}, {"eve", "pw", "", false},
	} {
		server := d.NewServer()
		token, done, failed := j.say("begin %s %s %s", b64(c.user), b64(c.password), b64(c.authzID))
		var id string
		for !done && failed == "" {
			reply, serverDone, authzID, err := server.Step(token)
			if err != nil {
				failed = err.Error()
				break
			}
			id = authzID
			if token, done, failed = j.say("step %s", b64(string(reply))); serverDone != done {
				t.Errorf("%q: the server is done: %v, the client: %v", c.user, serverDone, done)
			}
		}
		if done != c.ok || done && id != c.user {
			t.Errorf("%q with %q: done %v as %q, %s", c.user, c.password, done, id, failed)
		}
	}
}
