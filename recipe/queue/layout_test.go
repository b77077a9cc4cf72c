package queue

import (
	"bytes"
	"errors"
	"testing"
)

// Names are told apart, also those that begin alike.
func TestNamed(t *testing.T) {
	for name, layout := range map[string]Layout{
		"queue-0000000000":              Curator,
		"queue--2147483648":             Curator,
		"queue-1000000050000000000":     CuratorPriority,
		"queue-0FFFFFFFB2147483647":     CuratorPriority,
		"queue-|18BCFE56800|000000000":  -1, // no number
		"queue-|18BCFE56800|0000000000": CuratorDelay,
		"x-|18BCFE56800|0000000000":     -1,
		"queue-x0000000000":             -1,
		"qn-0000000000":                 Simple,
		"qn-x0000000000":                -1,
		"entry-100-0000000000":          Kazoo,
		"entry-100-1-0000000000":        -1,
	} {
		for l := Curator; l <= Kazoo; l++ {
			if got := l.Named(name); got != (l == layout) {
				t.Errorf("%s is of layout %d: %v", name, l, got)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x01\x01\x00\x00\x00\x05hello\x02"), "queue-0000000001")
	f.Add([]byte("\x00\x01\x00\x01\x01\xff\xff\xff\xff"), "queue-|18BCFE56800|0000000000")
	f.Add([]byte{}, "queue-1000000050000000000")
	f.Add([]byte("x"), "entry-100-0000000000")
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		for l := Curator; l <= KazooLocking; l++ {
			if _, err := l.parse(name); err != nil && !errors.Is(err, ErrForeign) {
				t.Error(err)
			}
		}
		bodies, err := Curator.decode(data)
		if err == nil && !bytes.Equal(Curator.encode(bodies), data) {
			t.Errorf("%x is %q", data, bodies)
		}
	})
}
