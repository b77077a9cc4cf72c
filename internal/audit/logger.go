package audit

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/quollhq/quoll/internal/proto"
)

// Options say where the audit log goes. Either of Out and Log may be nil.
type Options struct {
	// User is who runs the server: its login, or else the user of the system.
	User string
	// Out gets lines of the form "2006-01-02 15:04:05,000 INFO audit: " and the
	// event, each by one Write.
	Out io.Writer
	// Log gets a record "audit" with the event as the attribute "event".
	Log *slog.Logger
	// Now is the time of the lines in Out.
	Now func() time.Time
	// Failed is told when a line could not be written to Out; may be nil. The
	// log goes on.
	Failed func(error)
}

// Logger writes the audit log. A nil *Logger is one that is off: its methods do
// nothing. It is safe for concurrent use.
type Logger struct {
	o Options

	mu  sync.Mutex
	buf []byte
}

// New returns a Logger that is on.
func New(o Options) *Logger { return &Logger{o: o} }

// Enabled tells whether events are written. Callers need not ask before they
// log, only before they do work for an event.
func (l *Logger) Enabled() bool { return l != nil }

// Log writes one event: at level ERROR if it is a failure, otherwise at INFO.
func (l *Logger) Log(e *Event) {
	if l == nil {
		return
	}
	level := slog.LevelInfo
	if e.Result == Failure {
		level = slog.LevelError
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buf[:0]
	if l.o.Out != nil {
		b = l.o.Now().AppendFormat(b, "2006-01-02 15:04:05,000 ")
		b = append(b, level.String()...)
		b = append(b, " audit: "...)
	}
	head := len(b)
	b = append(e.Append(b), '\n')
	l.buf = b
	if l.o.Log != nil {
		l.o.Log.LogAttrs(context.Background(), level, "audit", slog.String("event", string(bytes.TrimSuffix(b[head:], []byte("\n")))))
	}
	if l.o.Out == nil {
		return
	}
	if _, err := l.o.Out.Write(b); err != nil && l.o.Failed != nil {
		l.o.Failed(err)
	}
}

// ServerStart is for a server that serves, or that could not be started.
func (l *Logger) ServerStart(r Result) { l.server(ServerStart, r) }

// ServerStop is for a server that is told to stop.
func (l *Logger) ServerStop() { l.server(ServerStop, Invoked) }

func (l *Logger) server(operation string, r Result) {
	if l != nil {
		l.Log(&Event{User: l.o.User, Operation: operation, Result: r})
	}
}

// EphemeralsDeleted is for the ephemeral znodes that a session leaves behind.
// failed are those that were gone already.
func (l *Logger) EphemeralsDeleted(session int64, deleted, failed []string) {
	if l == nil {
		return
	}
	e := Event{Session: session, User: l.o.User, Operation: EphemeralDelete}
	for _, e.Path = range deleted {
		l.Log(&e)
	}
	e.Result = Failure
	for _, e.Path = range failed {
		l.Log(&e)
	}
}

// Client is who made a request.
type Client struct {
	Session int64
	User    string // comma separated names of its identities; may be empty
	IP      string
}

// Outcome is what became of a request.
type Outcome struct {
	// Refused tells that the request became no change: the transaction is an
	// error. A multi of which one part failed is not refused, its Parts say so.
	Refused bool
	Code    proto.Code
	Path    string // the znode's, as it was created; empty if Refused
	Parts   []Part // of a multi
}

// Part is what became of a part of a multi. Of one that failed, all parts have
// the Op OpError.
type Part struct {
	Op   proto.Op
	Path string
}

// Request logs a request that Describe knows, once its outcome is known.
func (l *Logger) Request(c Client, r *Request, o *Outcome) {
	if l == nil {
		return
	}
	e := Event{Session: c.Session, User: c.User, IP: c.IP, Operation: r.operation}
	if r.operation == Multi && !o.Refused {
		l.multi(&e, r, o)
		return
	}
	e.Path, e.Type, e.ACL = o.Path, r.mode, r.acl
	if o.Refused {
		e.Path = r.path
	}
	if o.Refused || o.Code != proto.OK {
		e.Result = Failure
	}
	l.Log(&e)
}

// multi logs the parts of a multi, or one line if it failed.
func (l *Logger) multi(e *Event, r *Request, o *Outcome) {
	failed := false
	for _, p := range o.Parts {
		e.Operation = operation(p.Op)
		if p.Op == proto.OpError {
			failed = true
		}
		if e.Operation == "" {
			continue // a check
		}
		e.Path, e.Type = p.Path, ""
		if e.Operation == Create {
			e.Type = r.modes[p.Path]
		}
		l.Log(e)
	}
	if failed {
		e.Operation, e.Path, e.Type, e.Result = Multi, o.Path, "", Failure
		l.Log(e)
	}
}
