package request

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

// The bodies of a submission are its own, also of one that was used before and has to grow.
func TestSubmissionKeepsBodies(t *testing.T) {
	s := new(submission)
	for round := range 3 {
		s.begin(nil, time.Time{}, usualBodies)
		body := make([]byte, 100)
		for i := range 10 * usualBodies / len(body) {
			copy(body, bytes.Repeat([]byte{byte(i + round)}, len(body)))
			s.remote = append(s.remote, Forwarded{Body: s.keep(body)})
		}
		if s.size != 100*len(s.remote) || s.writes() != len(s.remote) {
			t.Fatalf("%d bytes, %d writes", s.size, s.writes())
		}
		for i, f := range s.remote {
			if !slices.Equal(f.Body, bytes.Repeat([]byte{byte(i + round)}, len(body))) || cap(f.Body) != len(f.Body) {
				t.Fatalf("round %d: body %d is %v", round, i, f.Body)
			}
		}
	}
}

// The bodies of a session's writes are its own as long as one of them waits, however many come.
func TestWaitersKeepBodies(t *testing.T) {
	w := new(waiters)
	var bodies [][]byte
	for i := range 300 {
		body := bytes.Repeat([]byte{byte(i)}, 1+i*i%1000)
		if i == 100 {
			body = bytes.Repeat([]byte{byte(i)}, 3*usualBodies)
		}
		bodies = append(bodies, w.keep(body))
		clear(body)
	}
	for i, b := range bodies {
		if b[0] != byte(i) || !slices.Equal(b, bytes.Repeat(b[:1], len(b))) || cap(b) != len(b) {
			t.Fatalf("body %d is %v", i, b)
		}
	}
	if cap(w.buf) > usualBodies {
		t.Errorf("a long body leaves room for %d bytes", cap(w.buf))
	}
}
