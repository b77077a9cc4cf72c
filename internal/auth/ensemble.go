package auth

import (
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/internal/javatext"
)

// ensemble is the scheme by which a client tells which ensemble it means. It
// proves no identity; a client that meant another one is sent away.
type ensemble struct {
	names map[string]bool // nil: every name will do
	log   *slog.Logger
	now   func() time.Time

	success, fail, skip atomic.Int64

	mu     sync.Mutex
	logged time.Time // of the last failure
}

// ensembleLogEvery damps the log of failures.
const ensembleLogEvery = time.Second

func newEnsemble(names *string, log *slog.Logger) *ensemble {
	e := &ensemble{log: log, now: time.Now}
	if names == nil {
		return e
	}
	e.names = map[string]bool{}
	for name := range strings.SplitSeq(*names, ",") {
		e.names[strings.Trim(name, javaBlank)] = true
	}
	return e
}

func (*ensemble) Scheme() string            { return "ensemble" }
func (*ensemble) Authenticated() bool       { return false }
func (*ensemble) Valid(string) bool         { return false }
func (*ensemble) Matcher(string) Matcher    { return nil }
func (*ensemble) UserName(id string) string { return id }

func (e *ensemble) Authenticate(peer Peer, data []byte) (Verdict, error) {
	switch {
	case len(data) == 0 || e.names == nil:
		e.skip.Add(1)
	case e.names[javatext.DecodeUTF8(data)]:
		e.success.Add(1)
	default:
		e.fail.Add(1)
		e.logFailure(peer, javatext.DecodeUTF8(data))
		return Verdict{Drop: true}, nil
	}
	return Verdict{OK: true}, nil
}

func (e *ensemble) logFailure(peer Peer, name string) {
	e.mu.Lock()
	now := e.now()
	damp := now.Sub(e.logged) <= ensembleLogEvery
	if !damp {
		e.logged = now
	}
	e.mu.Unlock()
	if !damp {
		e.log.Warn("client means another ensemble", "ensemble", name, "address", peer.Addr)
	}
}

// EnsembleCounts are how many auth packets of scheme ensemble named this
// ensemble, named another one, or could not be judged: the metrics
// ensemble_auth_success, ensemble_auth_fail and ensemble_auth_skip.
func (r *Registry) EnsembleCounts() (success, fail, skip int64) {
	return r.ensemble.success.Load(), r.ensemble.fail.Load(), r.ensemble.skip.Load()
}
