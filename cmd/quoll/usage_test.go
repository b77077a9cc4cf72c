package main

import (
	"io"
	"strings"
	"testing"
)

// TestExitCodes wants wrong command lines told from commands that fail. The server is not to execute the tests anew.
func TestExitCodes(t *testing.T) {
	missing := t.TempDir() + "/missing"
	for line, want := range map[string]int{
		"nosuch":                             exitUsage,
		"--nosuch":                           exitUsage,
		"version x":                          exitUsage,
		"server a b":                         exitUsage,
		"server --nosuch":                    exitUsage,
		"server --set x":                     exitUsage,
		"server --ensemble 99":               exitUsage,
		"server --check " + missing:          exitFailure,
		"hand-over a b":                      exitUsage,
		"hand-over ftp://a":                  exitUsage,
		"hand-over http://127.0.0.1:1":       exitFailure,
		"bench":                              exitUsage,
		"bench get nosuch":                   exitUsage,
		"data nosuch":                        exitUsage,
		"data":                               0,
		"data verify":                        exitUsage,
		"data chop x":                        exitUsage,
		"data verify " + missing:             exitFailure,
		"4lw abc":                            exitUsage,
		"4lw --timeout x":                    exitUsage,
		"4lw ruok --server 127.0.0.1:1":      exitFailure,
		"lock a b":                           exitUsage,
		"lock a --auth nocolon -- true":      exitUsage,
		"lock a --wait -1s -- true":          exitUsage,
		"count a --server 127.0.0.1:1":       exitFailure,
		"count a -o xml":                     exitUsage,
		"queue nosuch":                       exitUsage,
		"queue take q --attempts 4":          exitUsage,
		"register a -- true":                 exitUsage,
		"discover --watch":                   exitUsage,
		"template":                           exitUsage,
		"config encrypt a":                   exitUsage,
		"cli --timeout x":                    exitUsage,
		"cli nosuch":                         127,
		"cli -server 127.0.0.1:1 -o json ls": 1,
	} {
		t.Run(line, func(t *testing.T) {
			root := newRoot(true)
			root.SetOut(io.Discard)
			root.SetErr(io.Discard)
			root.SetIn(strings.NewReader(""))
			root.SetArgs(strings.Fields(line))
			got := 0
			if err := root.ExecuteContext(t.Context()); err != nil {
				got = report(err)
			}
			if got != want {
				t.Errorf("exit code %d, want %d", got, want)
			}
		})
	}
}

// TestHelpShowsNoEnvironment wants help that can be shown to anybody.
func TestHelpShowsNoEnvironment(t *testing.T) {
	const secret = "4hidden"
	for _, name := range []string{"QUOLL_ADMIN_AUTH", "QUOLL_SERVER"} {
		t.Setenv(name, secret)
	}
	for _, line := range []string{"hand-over", "lock", "config get", "4lw", "bench", "server", "cli"} {
		root := newRoot(true)
		var out strings.Builder
		root.SetOut(&out)
		root.SetArgs(append(strings.Fields(line), "--help"))
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), secret) || out.Len() == 0 {
			t.Errorf("%s --help: %s", line, out.String())
		}
	}
}
