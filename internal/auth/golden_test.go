package auth

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The golden files hold what Apache ZooKeeper 3.9.4's own classes answered.
// To ask them anew:
//
//	ZOOKEEPER_LIB=<lib of a ZooKeeper distribution> go test ./internal/auth -update
var update = flag.Bool("update", false, "rewrite the golden files by asking Apache's classes")

// question is an operation of testdata/Oracle.java with its arguments.
type question struct {
	op   string
	args []string
}

// golden yields the answers to questions from the file of the given name. With
// -update it asks them first.
func golden(t *testing.T, name string, questions []question) [][]string {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		writeGolden(t, file, questions, askApache(t, questions))
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var answers [][]string
	for sc := bufio.NewScanner(f); sc.Scan(); {
		asked, answered, _ := strings.Cut(sc.Text()+" ", " -> ")
		i := len(answers)
		if i >= len(questions) || asked != questions[i].op+quoteAll(questions[i].args) {
			t.Fatalf("%s:%d does not belong to the test's questions; run with -update", file, i+1)
		}
		answers = append(answers, unquoteAll(t, answered))
	}
	if len(answers) != len(questions) {
		t.Fatalf("%s has %d of %d answers; run with -update", file, len(answers), len(questions))
	}
	return answers
}

func quoteAll(args []string) string {
	var b strings.Builder
	for _, a := range args {
		b.WriteString(" " + strconv.QuoteToASCII(a))
	}
	return b.String()
}

func unquoteAll(t *testing.T, s string) []string {
	t.Helper()
	var out []string
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		q, err := strconv.QuotedPrefix(s)
		if err != nil {
			t.Fatal(err)
		}
		v, err := strconv.Unquote(q)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
		s = s[len(q):]
	}
	return out
}

func writeGolden(t *testing.T, file string, questions []question, answers [][]string) {
	t.Helper()
	var b bytes.Buffer
	for i, q := range questions {
		fmt.Fprintf(&b, "%s%s ->%s\n", q.op, quoteAll(q.args), quoteAll(answers[i]))
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func askApache(t *testing.T, questions []question) [][]string {
	t.Helper()
	var in, out bytes.Buffer
	for _, q := range questions {
		in.WriteString(q.op)
		for _, a := range q.args {
			in.WriteString(" " + base64.StdEncoding.EncodeToString([]byte(a)))
		}
		in.WriteByte('\n')
	}
	cmd := exec.Command("java", "-cp", filepath.Join(os.Getenv("ZOOKEEPER_LIB"), "*"),
		"-Dfile.encoding=UTF-8", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off",
		"-Dzookeeper.DigestAuthenticationProvider.superDigest="+superDigest,
		"-Dzookeeper.authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
		"-Dzookeeper.authProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider",
		"-Dzookeeper.authProvider.e=org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider",
		"-Dzookeeper.X509AuthenticationProvider.superUser="+superSubject,
		"-Dzookeeper.letAnySaslUserDoX=anybody",
		filepath.Join("testdata", "Oracle.java"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	var answers [][]string
	for sc := bufio.NewScanner(&out); sc.Scan(); {
		if sc.Text() == "" {
			answers = append(answers, nil)
			continue
		}
		var parts []string
		for _, word := range strings.Split(sc.Text(), " ") {
			b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(word, "="))
			if err != nil {
				t.Fatalf("oracle said %q: %v", sc.Text(), err)
			}
			parts = append(parts, string(b))
		}
		answers = append(answers, parts)
	}
	if len(answers) != len(questions) {
		t.Fatalf("oracle gave %d answers to %d questions", len(answers), len(questions))
	}
	return answers
}

const (
	superDigest  = "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=" // super:admin
	superSubject = "CN=admin,O=quoll"
)

// goldenRegistry has the settings that askApache gives to Apache's classes.
func goldenRegistry(t testing.TB) *Registry {
	t.Helper()
	r, err := New(Options{
		Classes: map[string]string{
			"1":    classPrefix + "SASLAuthenticationProvider",
			"x509": classPrefix + "X509AuthenticationProvider",
			"e":    classPrefix + "EnsembleAuthenticationProvider",
		},
		Digest: DigestOptions{Super: superDigest},
		X509:   X509Options{SuperUser: superSubject},
		SASL:   SASLOptions{AnyUser: "anybody"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
