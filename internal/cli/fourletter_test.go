package cli_test

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/cli"
)

// wordServer answers the word srvr, allows no other that it knows, and hangs up on all else.
func wordServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-ended })
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			word := make([]byte, 4)
			if _, err := io.ReadFull(conn, word); err == nil {
				answer := map[string]string{"srvr": "Mode: standalone\n", "ruok": "ruok is not executed because it is not in the whitelist.\n"}
				_, _ = io.WriteString(conn, answer[string(word)])
			}
			conn.Close()
		}
	}()
	return l.Addr().String()
}

func TestFourLetterWord(t *testing.T) {
	at := wordServer(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := free.Addr().String()
	free.Close()
	for name, tt := range map[string]struct {
		args      []string
		out, fail string
	}{
		"default":     {[]string{"--server", at}, "Mode: standalone\n", ""},
		"not allowed": {[]string{"ruok", "--server", at}, "ruok is not executed because it is not in the whitelist.\n", "4lw.commands.whitelist=ruok"},
		"unknown":     {[]string{"abcd", "--server", at}, "", "an empty answer"},
		"no word":     {[]string{"help!", "--server", at}, "", "has not four letters"},
		"nobody":      {[]string{"srvr", "--server", ","}, "", "no server named"},
		"gaps":        {[]string{"srvr", "--server", " " + at + ", "}, "Mode: standalone\n", ""},
		"several":     {[]string{"srvr", "--server", nobody + "," + at + "/app"}, "== " + nobody + "\n== " + at + "\nMode: standalone\n", "srvr from " + nobody + ": dial"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			cmd := cli.NewFourLetterWord()
			cmd.SetArgs(tt.args)
			cmd.SetOut(&out)
			cmd.SilenceErrors, cmd.SilenceUsage = true, true
			err := cmd.ExecuteContext(t.Context())
			if out.String() != tt.out {
				t.Errorf("printed %q", out.String())
			}
			if (err == nil) != (tt.fail == "") || err != nil && !strings.Contains(err.Error(), tt.fail) {
				t.Errorf("error %v", err)
			}
		})
	}
}
