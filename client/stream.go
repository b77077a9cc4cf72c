package client

import (
	"context"
	"iter"
	"sync"
)

// stream is a queue of events that its writer never waits for.
type stream struct {
	mu    sync.Mutex
	queue fifo[Event]
	limit int
	path  string        // what a reader that is too far behind looks at anew; empty: everything
	err   error         // why no more will come
	ready chan struct{} // holds a token when there is something to take
}

func (s *stream) init(path string, limit int) {
	s.path, s.limit = path, limit
	s.ready = make(chan struct{}, 1)
}

// push appends ev. If the reader is too far behind, it finds an EventReset in
// place of what it has missed.
func (s *stream) push(ev Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	if s.queue.len() >= s.limit {
		s.queue = fifo[Event]{}
		s.queue.push(Event{Type: EventReset, State: ev.State, Path: s.path, Zxid: ev.Zxid})
	}
	s.queue.push(ev)
	s.notify()
}

// end lets no more events in. Those in the queue are still delivered.
func (s *stream) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
		s.notify()
	}
}

func (s *stream) notify() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// take returns the next event, or the error after the last one, or neither.
func (s *stream) take() (ev Event, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ev, ok = s.queue.pop()
	if !ok {
		err = s.err
	}
	if s.queue.len() > 0 || s.err != nil {
		s.notify()
		return ev, ok, err
	}
	select {
	case <-s.ready: // what it told of is taken
	default:
	}
	return ev, ok, err
}

// Next waits for the next event. After the last one it returns why the stream
// has ended, again and again.
func (s *stream) Next(ctx context.Context) (Event, error) {
	for {
		ev, ok, err := s.take()
		if ok || err != nil {
			return ev, err
		}
		select {
		case <-s.ready:
		case <-ctx.Done():
			return Event{}, ctx.Err()
		}
	}
}

// TryNext returns the next event if there is one.
func (s *stream) TryNext() (Event, bool) {
	ev, ok, _ := s.take()
	return ev, ok
}

// Ready yields a token when Next would not wait, for use in a select. After a
// token Next, or TryNext until it has no more, must be called.
func (s *stream) Ready() <-chan struct{} { return s.ready }

// All ranges over the events. The last pair holds the error that ended the
// stream, or that of ctx.
func (s *stream) All(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			ev, err := s.Next(ctx)
			if !yield(ev, err) || err != nil {
				return
			}
		}
	}
}
