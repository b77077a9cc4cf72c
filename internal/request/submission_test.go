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
