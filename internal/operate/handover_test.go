package operate

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHandOver(t *testing.T) {
	answer, status := "", http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/commands/hand_over" || r.Header.Get("Authorization") != "digest ops:secret" {
			t.Errorf("%s %s by %q", r.Method, r.URL, r.Header.Get("Authorization"))
		}
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	}))
	defer s.Close()
	for _, c := range []struct {
		status       int
		answer       string
		want, failed string
	}{
		{200, `{"leader": 2, "command": "hand_over", "error": null}`, "server 2 leads\n", ""},
		{409, `{"command": "hand_over", "error": "this server does not lead"}`, "", "does not lead"},
		{200, `{"command": "hand_over", "error": "Unknown command: hand_over"}`, "", "Unknown command"},
		{200, `{"command": "hand_over", "error": null}`, "", "status 200"},
		{401, `{"command": "hand_over", "error": "Not authenticated"}`, "", "Not authenticated; say who asks by --auth"},
		{404, "not found", "", "no admin server"},
	} {
		answer, status = c.answer, c.status
		cmd := NewHandOver()
		var out strings.Builder
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		cmd.SetArgs([]string{strings.TrimPrefix(s.URL, "http://") + "/", "--auth", "digest ops:secret"})
		err := cmd.ExecuteContext(t.Context())
		switch {
		case c.failed == "" && (err != nil || out.String() != c.want):
			t.Errorf("%s: %q, %v", c.answer, out.String(), err)
		case c.failed != "" && (err == nil || !strings.Contains(err.Error(), c.failed)):
			t.Errorf("%s: %v", c.answer, err)
		}
	}
}

func TestHeader(t *testing.T) {
	for given, want := range map[string]string{
		"digest ops:secret": "digest ops:secret", "digest:ops:secret": "digest ops:secret", "ip": "ip", "x509": "x509", "digest a b:c": "digest a b:c",
	} {
		if got := header(given); got != want {
			t.Errorf("%s: %s", given, got)
		}
	}
}
