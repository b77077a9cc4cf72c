package leastserver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

const (
	// logSize is the length of the log file, which is written with zeros
	// first and then over and over: a sync never has to wait for metadata.
	logSize = 64 << 20
	// groupLimit bounds the bytes that wait for one sync; who comes later
	// waits in add.
	groupLimit = 4 << 20
)

// group is what one sync makes durable, and what may be said afterwards.
type group struct {
	records []byte
	replies []byte
	parts   []part
}

// part is the replies of one batch: replies[previous end:end] go to c.
// The last part of a connection is followed by its end.
type part struct {
	c    *conn
	end  int
	last bool
}

func (g *group) reset() {
	g.records, g.replies, g.parts = g.records[:0], g.replies[:0], g.parts[:0]
}

// groupLog turns many small appends into few syncs.
type groupLog struct {
	f   *os.File
	off int64 // where the next group goes

	mu     sync.Mutex
	wake   sync.Cond // something to write, room again, or closed
	next   *group
	closed bool
	err    error

	synced chan *group // from the log goroutine to the flushing one
	free   chan *group
}

func openLog(dir string) (*groupLog, error) {
	f, err := os.CreateTemp(dir, "least-*.log")
	if err != nil {
		return nil, fmt.Errorf("make the log: %w", err)
	}
	l := &groupLog{f: f, next: &group{}, synced: make(chan *group, 1), free: make(chan *group, 2)}
	l.wake.L = &l.mu
	l.free <- &group{}
	l.free <- &group{}
	if err := l.fillWithZeros(); err != nil {
		return nil, errors.Join(err, l.remove())
	}
	return l, nil
}

func (l *groupLog) fillWithZeros() error {
	zeros := make([]byte, 1<<20)
	for off := int64(0); off < logSize; off += int64(len(zeros)) {
		if _, err := l.f.WriteAt(zeros, off); err != nil {
			return fmt.Errorf("preallocate the log: %w", err)
		}
	}
	return l.f.Sync()
}

// add queues a batch. Its replies are sent once it is durable.
func (l *groupLog) add(p part, records, replies []byte) {
	l.mu.Lock()
	for len(l.next.records) > groupLimit && !l.closed && l.err == nil {
		l.wake.Wait()
	}
	g := l.next
	g.records = append(g.records, records...)
	g.replies = append(g.replies, replies...)
	p.end = len(g.replies)
	g.parts = append(g.parts, p)
	first := len(g.parts) == 1
	l.mu.Unlock()
	if first {
		l.wake.Broadcast()
	}
}

// run writes and syncs groups until close, and ends the flushing goroutine.
func (l *groupLog) run() error {
	var flusher sync.WaitGroup
	flusher.Go(l.flush)
	defer flusher.Wait()
	defer close(l.synced)
	for {
		g := l.take()
		if g == nil {
			return nil
		}
		if err := l.write(g.records); err != nil {
			l.fail(err)
			return err
		}
		l.synced <- g
	}
}

// take waits for a group that is not empty; nil means closed.
func (l *groupLog) take() *group {
	empty := <-l.free
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.next.parts) == 0 {
		if l.closed {
			return nil
		}
		l.wake.Wait()
	}
	g := l.next
	if len(g.records) > groupLimit {
		l.wake.Broadcast()
	}
	l.next = empty
	return g
}

func (l *groupLog) write(b []byte) error {
	if l.off+int64(len(b)) > logSize {
		l.off = 0
	}
	if _, err := l.f.WriteAt(b, l.off); err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	l.off += int64(len(b))
	if err := datasync(l.f); err != nil {
		return fmt.Errorf("sync the log: %w", err)
	}
	return nil
}

// flush sends the replies of synced groups. A client that has gone is noticed
// by its own goroutine.
func (l *groupLog) flush() {
	for g := range l.synced {
		at := 0
		for _, p := range g.parts {
			_, _ = p.c.nc.Write(g.replies[at:p.end])
			p.c.pending.Add(-1)
			if p.last {
				p.c.nc.Close()
			}
			at = p.end
		}
		g.reset()
		l.free <- g
	}
}

func (l *groupLog) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.wake.Broadcast()
}

func (l *groupLog) fail(err error) {
	l.mu.Lock()
	l.err = err
	l.mu.Unlock()
	l.wake.Broadcast()
}

func (l *groupLog) remove() error {
	err := errors.Join(l.f.Close(), os.Remove(l.f.Name()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
