package queue

import (
	"bytes"
	"errors"
	"testing"
)

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
