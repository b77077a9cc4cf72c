package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/tlsconf"
)

// connectConfig is how the shell connects.
type connectConfig struct {
	servers  string
	timeout  time.Duration // of the session
	readOnly bool
	wait     bool            // until connected, before the first command
	auth     []string        // scheme:auth of every session; in options, too
	tls      *tlsconf.Source // nil without TLS; in options, too
	options  []client.Option
}

// connection is a session and the goroutine that prints what happens to it.
type connection struct {
	servers string
	client  *client.Client
	events  *client.Events
	sh      *shell
	// refused: the server did not accept credentials, which ends a session for
	// Apache's CLI.
	refused atomic.Bool
	// answering is held while credentials are under way: the events that come
	// meanwhile are printed when it is known whether they are refused.
	answering sync.Mutex
	printer   sync.WaitGroup
	streams   []*client.Watch // whose events come by events, too; under the printer's lock
	stop      context.CancelFunc
}

// connect opens a session and closes the one before.
func (sh *shell) connect(ctx context.Context, servers string) error {
	if err := sh.disconnect(); err != nil {
		sh.fail(err)
	}
	opts := append([]client.Option{
		client.WithSessionTimeout(sh.config.timeout),
		client.WithSingleSession(),
		client.WithFailFast(),
		client.WithMaxRequest(math.MaxInt32), // what a server takes is for it to say
	}, sh.config.options...)
	if sh.config.readOnly {
		opts = append(opts, client.WithReadOnly())
	}
	c, err := client.New(servers, opts...)
	if err != nil {
		return Misuse(err)
	}
	sh.conn = &connection{servers: servers, client: c, events: c.Events(), sh: sh}
	sh.conn.follow()
	if !sh.config.wait {
		return nil
	}
	return sh.conn.await(ctx, sh.config.timeout)
}

// await waits for the session to open.
func (cn *connection) await(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := cn.client.WaitConnected(ctx); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return &failure{message: lines(keeperMessage(client.ErrConnectionLoss, ""), err.Error(), advice(err)), code: exitFailure, cause: err}
		}
		return err
	}
	return nil
}

// follow prints events as they come, until close.
func (cn *connection) follow() {
	ctx, cancel := context.WithCancel(context.Background())
	cn.stop = cancel
	cn.printer.Go(func() {
		for {
			select {
			case <-cn.events.Ready():
				cn.printEvents()
			case <-ctx.Done():
				return
			}
			if cn.client.State() == client.StateClosed {
				<-ctx.Done()
				return
			}
		}
	})
}

// authenticate presents credentials. If they are refused, that is the end of
// the session, and that the server hangs up is no event any more.
func (cn *connection) authenticate(ctx context.Context, scheme string, auth []byte) error {
	cn.answering.Lock()
	defer cn.answering.Unlock()
	err := cn.client.AddAuth(ctx, scheme, auth)
	if errors.Is(err, client.ErrAuthFailed) {
		cn.refused.Store(true)
	}
	return err
}

// printEvents prints what is in the stream, in order, before anybody else
// prints.
func (cn *connection) printEvents() {
	cn.answering.Lock()
	defer cn.answering.Unlock()
	p := cn.sh.printer
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		ev, ok := cn.events.TryNext()
		if !ok {
			return
		}
		if cn.sh.watches && !(cn.refused.Load() && ev.Type == client.EventSession) {
			p.event(ev)
		}
		for _, w := range cn.streams {
			for more := true; more; {
				_, more = w.TryNext()
			}
		}
	}
}

// addStream takes over a stream that nobody reads: what it yields is printed
// from the stream of all events.
func (cn *connection) addStream(w *client.Watch) {
	cn.sh.mu.Lock()
	defer cn.sh.mu.Unlock()
	cn.streams = append(cn.streams, w)
}

func (cn *connection) alive() bool {
	switch cn.client.State() {
	case client.StateClosed, client.StateExpired, client.StateAuthFailed:
		return false
	}
	return !cn.refused.Load()
}

// stateName is Apache's name of the state.
func (cn *connection) stateName() string {
	if cn.refused.Load() {
		return "AUTH_FAILED"
	}
	switch cn.client.State() {
	case client.StateConnecting:
		return "CONNECTING"
	case client.StateConnected:
		return "CONNECTED"
	case client.StateReadOnly:
		return "CONNECTEDREADONLY"
	case client.StateAuthFailed:
		return "AUTH_FAILED"
	}
	return "CLOSED"
}

// disconnect closes the session, if there is one.
func (sh *shell) disconnect() error {
	if sh.conn == nil {
		return nil
	}
	err := sh.conn.client.Close()
	sh.conn.printEvents()
	sh.conn.stop()
	sh.conn.printer.Wait()
	return err
}

// eventDoc is an event in JSON.
type eventDoc struct {
	Type  string `json:"type"`
	State string `json:"state"`
	Path  string `json:"path,omitempty"`
	Zxid  string `json:"zxid,omitempty"`
}

func newEventDoc(ev client.Event) eventDoc {
	d := eventDoc{Type: ev.Type.String(), State: keeperState(ev.State), Path: ev.Path}
	if ev.Zxid >= 0 {
		d.Zxid = hex(ev.Zxid)
	}
	return d
}

// event prints one event; in JSON only those of nodes. p.mu is held.
func (p *printer) event(ev client.Event) {
	if p.json {
		if ev.Type != client.EventSession {
			p.printLocked(map[string]eventDoc{"event": newEventDoc(ev)}, nil)
		}
		return
	}
	path := ev.Path
	if path == "" {
		path = "null"
	}
	printEvent(p.out, keeperState(ev.State), ev.Type.String(), path, ev.Zxid)
	if ev.Type == client.EventSession && ev.State.Serving() && ev.Authenticated {
		printEvent(p.out, "SaslAuthenticated", ev.Type.String(), path, ev.Zxid)
	}
}

func printEvent(w io.Writer, state, what, path string, zxid int64) {
	fmt.Fprintf(w, "\nWATCHER::\n\nWatchedEvent state:%s type:%s path:%s zxid: %d\n", state, what, path, zxid)
}

// keeperState is Apache's name of a state in events.
func keeperState(s client.State) string {
	switch s {
	case client.StateConnecting:
		return "Disconnected"
	case client.StateConnected:
		return "SyncConnected"
	case client.StateReadOnly:
		return "ConnectedReadOnly"
	case client.StateExpired:
		return "Expired"
	case client.StateAuthFailed:
		return "AuthFailed"
	}
	return "Closed"
}
