package bench

import (
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// readBuffer is what one read takes at most; all sessions of a lane share it.
	readBuffer = 256 << 10
	// longestWait bounds how long a lane sleeps before it looks at the clock.
	longestWait = 50 * time.Millisecond
)

// epollDriver moves the bytes of one lane on one thread.
type epollDriver struct {
	lane  *lane
	poll  *poller
	buf   []byte
	dirty []*session // have output that was not tried yet (open loop, pings)
}

// drivePolled runs a lane to its end.
func drivePolled(l *lane) error {
	defer lockThread()()
	poll, err := newPoller()
	if err != nil {
		return err
	}
	defer poll.close()
	d := &epollDriver{lane: l, poll: poll, buf: make([]byte, readBuffer)}
	for i, s := range l.sessions {
		if err := poll.add(s.fd, i, false); err != nil {
			return err
		}
	}
	return d.loop()
}

func (d *epollDriver) loop() error {
	l := d.lane
	d.begin(l.now())
	for {
		now := l.now()
		if l.finished(now) {
			return nil
		}
		events, err := d.poll.wait(l.rest(now, longestWait))
		if err != nil {
			return err
		}
		for i := range events {
			d.ready(&events[i])
		}
		now = l.now()
		if l.schedule != nil {
			l.dispatch(now, d.touch)
		}
		l.ping(now, d.touch)
		d.writeDirty(now)
	}
}

// begin sends the first requests of a closed loop.
func (d *epollDriver) begin(now int64) {
	if d.lane.schedule != nil {
		return
	}
	for _, s := range d.lane.sessions {
		if s.broken == nil {
			d.lane.refill(s, now)
			d.write(s, now)
		}
	}
}

func (d *epollDriver) touch(s *session) {
	if n := len(d.dirty); n > 0 && d.dirty[n-1] == s {
		return
	}
	d.dirty = append(d.dirty, s)
}

func (d *epollDriver) writeDirty(now int64) {
	for _, s := range d.dirty {
		if s.broken == nil && len(s.out) > 0 {
			d.write(s, now)
		}
	}
	d.dirty = d.dirty[:0]
}

// ready handles one session that can be read or written.
func (d *epollDriver) ready(e *unix.EpollEvent) {
	s := d.lane.sessions[e.Fd]
	if s.broken != nil {
		return
	}
	if e.Events&unix.EPOLLOUT != 0 {
		d.write(s, d.lane.now())
	}
	if e.Events&^unix.EPOLLOUT != 0 {
		d.read(s)
	}
}

// read takes what has arrived, and in a closed loop sends as many requests as
// were answered.
func (d *epollDriver) read(s *session) {
	n, errno := rawRead(s.fd, d.buf)
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return
	case errno != 0:
		d.lose(s, fmt.Errorf("read: %w", errno))
		return
	case n == 0:
		d.lose(s, fmt.Errorf("connection closed by the server: %w", io.EOF))
		return
	}
	now := d.lane.now()
	if err := d.lane.receive(s, d.buf[:n], now); err != nil {
		d.lose(s, err)
		return
	}
	if d.lane.schedule != nil {
		return
	}
	d.lane.refill(s, now)
	if len(s.out) > 0 {
		d.write(s, now)
	}
}

// write sends what the socket takes; the rest goes when it has room again.
func (d *epollDriver) write(s *session, now int64) {
	waiting := s.waiting
	for len(s.out) > s.outAt {
		n, errno := rawWrite(s.fd, s.out[s.outAt:])
		if errno == unix.EINTR {
			continue
		}
		if errno == unix.EAGAIN {
			break
		}
		if errno != 0 {
			d.lose(s, fmt.Errorf("write: %w", errno))
			return
		}
		s.outAt += n
	}
	s.lastSent = now
	s.written()
	if s.waiting = len(s.out) > 0; s.waiting != waiting {
		if err := d.poll.modify(s.fd, s.index, s.waiting); err != nil {
			d.lose(s, err)
		}
	}
}

func (d *epollDriver) lose(s *session, err error) {
	d.poll.remove(s.fd)
	d.lane.lose(s, err)
}
