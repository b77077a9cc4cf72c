package admin

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
)

// check is one condition of health. Its error says what is wrong.
type check struct {
	name string
	run  func(n *Node) error
}

// minFree is how much room a disk must have so that writes can go on, in bytes.
const minFree = 16 << 20

// liveChecks tell whether the process should go on: only a new start cures
// what they find.
func (a *Admin) liveChecks() []check {
	return []check{
		{"process", func(*Node) error { return nil }},
		{"pipeline", pipelineCheck},
	}
}

// readyChecks tell whether clients should come to this server.
func (a *Admin) readyChecks() []check {
	return []check{
		{"serving", func(n *Node) error {
			switch {
			case n == nil:
				return errors.New("clients are not served: the server is starting or stopping")
			case n.Mode() == "removed":
				return errors.New("clients are not served: this member was removed from the ensemble")
			case !n.Engine.Serving():
				return errors.New("clients are not served: this member of the ensemble has no leader")
			case n.Engine.ReadsOnly():
				return errors.New("only read-only clients are served: this member of the ensemble has no leader")
			}
			return nil
		}},
		{"pipeline", pipelineCheck},
		{"disk", diskCheck},
		{"snapshots", func(n *Node) error {
			if n == nil {
				return nil
			}
			return n.Host.SnapshotError()
		}},
	}
}

// pipelineCheck fails once the log could not be written.
func pipelineCheck(n *Node) error {
	if n == nil {
		return nil
	}
	return n.Engine.Err()
}

// diskCheck fails before the disk is full.
func diskCheck(n *Node) error {
	if n == nil {
		return nil
	}
	data, logs := n.Host.Dirs()
	for _, dir := range []string{data, logs} {
		free, err := freeBytes(dir)
		if err == nil && free < minFree {
			return fmt.Errorf("%s has %d bytes free; below %d writes may fail", dir, free, minFree)
		}
	}
	return nil
}

func (a *Admin) serveLive(w http.ResponseWriter, r *http.Request) {
	a.serveChecks(w, r, a.liveChecks())
}

func (a *Admin) serveReady(w http.ResponseWriter, r *http.Request) {
	a.serveChecks(w, r, a.readyChecks())
}

// serveChecks answers 200 if all is well and 503 otherwise. The text names each
// check that failed, and all of them if the query asks for ?verbose.
func (a *Admin) serveChecks(w http.ResponseWriter, r *http.Request, checks []check) {
	var text bytes.Buffer
	n := a.node.Load()
	verbose := r.URL.Query().Has("verbose")
	failed := 0
	for _, c := range checks {
		switch err := c.run(n); {
		case err != nil:
			failed++
			fmt.Fprintf(&text, "[-] %s: %v\n", c.name, err)
		case verbose:
			fmt.Fprintf(&text, "[+] %s: ok\n", c.name)
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if failed > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintf(&text, "%d of %d checks failed\n", failed, len(checks))
	} else {
		fmt.Fprintln(&text, "ok")
	}
	if _, err := w.Write(text.Bytes()); err != nil {
		a.Logger.Debug("cannot answer a health check", "error", err)
	}
}
