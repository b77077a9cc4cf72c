package bench

import (
	"fmt"
	"sync"
	"time"
)

// connDriver moves the bytes of one lane with a goroutine per session, on any
// net.Conn: where there is no epoll, and for TLS. The mutex guards the lane;
// it is not held while a socket is used.
type connDriver struct {
	mu   sync.Mutex
	lane *lane
	done chan struct{} // closed when the lane is finished
	once sync.Once
}

// driveConns runs a lane to its end.
func driveConns(l *lane) error {
	d := &connDriver{lane: l, done: make(chan struct{})}
	var readers sync.WaitGroup
	for _, s := range l.sessions {
		if s.broken == nil {
			readers.Go(func() { d.read(s) })
		}
	}
	d.keepTime()
	// The sockets stay open for the next run: only the pending reads end.
	for _, s := range l.sessions {
		_ = s.conn.SetReadDeadline(time.Unix(1, 0))
	}
	readers.Wait()
	for _, s := range l.sessions {
		_ = s.conn.SetReadDeadline(time.Time{})
	}
	return nil
}

// keepTime sends what is due until the lane is finished.
func (d *connDriver) keepTime() {
	const longest = 20 * time.Millisecond
	l := d.lane
	var dirty []*session
	touch := func(s *session) { dirty = append(dirty, s) }
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-d.done:
			return
		}
		now := l.now()
		d.mu.Lock()
		if l.finished(now) {
			d.mu.Unlock()
			return
		}
		if l.schedule != nil {
			l.dispatch(now, touch)
		}
		l.ping(now, touch)
		d.mu.Unlock()
		for _, s := range dirty {
			d.write(s)
		}
		dirty = dirty[:0]
		timer.Reset(l.rest(l.now(), longest))
	}
}

// read begins the closed loop of one session and handles its replies.
func (d *connDriver) read(s *session) {
	l := d.lane
	if l.schedule == nil {
		d.mu.Lock()
		l.refill(s, l.now())
		d.mu.Unlock()
		d.write(s)
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := s.conn.Read(buf)
		now := l.now()
		d.mu.Lock()
		if n > 0 {
			err = l.receive(s, buf[:n], now)
		}
		if err != nil {
			if !d.ended(now) {
				l.lose(s, fmt.Errorf("read: %w", err))
			}
			d.mu.Unlock()
			return
		}
		if l.schedule == nil {
			l.refill(s, now)
		}
		over := d.ended(now)
		d.mu.Unlock()
		if over {
			return
		}
		d.write(s)
	}
}

// ended tells, with the mutex held, whether the lane is finished, and lets
// keepTime know.
func (d *connDriver) ended(now int64) bool {
	if !d.lane.finished(now) {
		return false
	}
	d.once.Do(func() { close(d.done) })
	return true
}

// write sends a session's output. The session's own writer lock keeps pings
// and requests in the order in which they were made.
func (d *connDriver) write(s *session) {
	s.writing.Lock()
	defer s.writing.Unlock()
	d.mu.Lock()
	b := s.out
	s.out, s.spare = s.spare[:0], nil
	s.lastSent = d.lane.now()
	d.mu.Unlock()
	var err error
	if len(b) > 0 {
		_, err = s.conn.Write(b)
	}
	d.mu.Lock()
	s.spare = b[:0]
	if err != nil {
		d.lane.lose(s, fmt.Errorf("write: %w", err))
	}
	d.mu.Unlock()
}
