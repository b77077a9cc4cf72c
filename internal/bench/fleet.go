package bench

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// fleet is the sessions of a run, and the lanes that move them.
type fleet struct {
	sessions []*session
	timeout  time.Duration // shortest session timeout that was granted
	polled   bool          // raw sockets on epoll, else net.Conn
}

// openFleet opens n sessions for a load. The caller closes the fleet.
func openFleet(ctx context.Context, d *dialer, n, depth int, polled bool) (*fleet, error) {
	f := &fleet{sessions: make([]*session, n), polled: polled}
	var mu sync.Mutex
	err := d.openSessions(ctx, n, func(i int, w *wire) error {
		s := newSession(w.id, depth)
		s.fd = -1
		if polled {
			fd, err := detach(w.nc)
			if err != nil {
				return err
			}
			s.fd = fd
		} else {
			s.conn = w.nc
		}
		mu.Lock()
		defer mu.Unlock()
		f.sessions[i] = s
		if f.timeout == 0 || w.timeout < f.timeout {
			f.timeout = w.timeout
		}
		return nil
	})
	if err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// close drops the connections. The servers forget the sessions when they
// expire, so closeSessions is kinder.
func (f *fleet) close() {
	for _, s := range f.sessions {
		switch {
		case s == nil:
		case s.conn != nil:
			s.conn.Close()
		case s.fd >= 0:
			closeFD(s.fd)
			s.fd = -1
		}
	}
}

// closeSessions closes every session with its servers' consent, and the
// connections.
func (f *fleet) closeSessions() {
	var wg sync.WaitGroup
	parts := min(len(f.sessions), openers)
	deadline := time.Now().Add(goodbyeWait)
	for p := range parts {
		wg.Go(func() {
			for i := p; i < len(f.sessions) && time.Now().Before(deadline); i += parts {
				if s := f.sessions[i]; s != nil && s.broken == nil {
					s.sayGoodbye(deadline)
				}
			}
		})
	}
	wg.Wait()
	f.close()
}

// goodbyeWait bounds how long a fleet takes leave of its servers.
const goodbyeWait = 10 * time.Second

var closeFrame = jute.AppendInt(jute.AppendInt(jute.AppendInt(nil, 8), 0), int32(proto.OpCloseSession))

// sayGoodbye closes the session and reads until the server hangs up: closing
// a socket that holds unread bytes could drop the request.
func (s *session) sayGoodbye(deadline time.Time) {
	rw, done, err := s.blocking(deadline)
	if err != nil {
		return
	}
	defer done()
	if _, err := rw.Write(closeFrame); err == nil {
		_, _ = io.Copy(io.Discard, rw)
	}
}

// blocking is the session's socket for reads and writes that wait, until the
// deadline.
func (s *session) blocking(deadline time.Time) (io.ReadWriter, func(), error) {
	if s.conn != nil {
		err := s.conn.SetDeadline(deadline)
		return s.conn, func() {}, err
	}
	nc, err := attach(s.fd)
	if err != nil {
		return nil, nil, err
	}
	err = nc.SetDeadline(deadline)
	return nc, func() { nc.Close() }, err
}

// run moves a load on the fleet until it is finished and returns what was
// measured, merged. Lanes run side by side, each with its share of the sessions.
func (f *fleet) run(ctx context.Context, l *load, prepare func(*lane)) (*recorder, error) {
	l.pingEvery = int64(f.timeout / 3)
	lanes := f.deal(l)
	unhook := context.AfterFunc(ctx, func() { l.stop.Store(true) })
	defer unhook()
	errs := make([]error, len(lanes))
	var wg sync.WaitGroup
	for i, ln := range lanes {
		if prepare != nil {
			prepare(ln)
		}
		wg.Go(func() {
			if f.polled {
				errs[i] = drivePolled(ln)
			} else {
				errs[i] = driveConns(ln)
			}
		})
	}
	wg.Wait()
	all := newRecorder(l.span, &l.all, &l.writes)
	for _, ln := range lanes {
		all.merge(ln.rec)
		all.lost += ln.broken
		all.unanswered += ln.inflight
		if ln.alive == 0 {
			errs = append(errs, ln.err)
		}
	}
	return all, errors.Join(append(errs, ctx.Err())...)
}

// deal shares the sessions out to the lanes.
func (f *fleet) deal(l *load) []*lane {
	l.lanes = max(1, min(l.lanes, len(f.sessions)))
	shares := make([][]*session, l.lanes)
	for i, s := range f.sessions {
		shares[i%l.lanes] = append(shares[i%l.lanes], s)
	}
	lanes := make([]*lane, l.lanes)
	for i, share := range shares {
		lanes[i] = newLane(l, i, share)
	}
	return lanes
}
