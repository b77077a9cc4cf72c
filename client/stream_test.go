package client

import "testing"

// A token tells that something is there to be taken.
func TestStreamReady(t *testing.T) {
	var s stream
	s.init("", 10)
	s.push(Event{Path: "/a"})
	s.push(Event{Path: "/b"})
	for _, want := range []string{"/a", "/b"} {
		<-s.Ready()
		if ev, ok := s.TryNext(); !ok || ev.Path != want {
			t.Errorf("%+v, want %s", ev, want)
		}
	}
	select {
	case <-s.Ready():
		t.Error("a token, and nothing to take")
	default:
	}
	s.end(ErrWatchClosed)
	<-s.Ready()
	if _, err := s.Next(t.Context()); err != ErrWatchClosed {
		t.Error(err)
	}
}
