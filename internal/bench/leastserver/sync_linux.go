package leastserver

import (
	"os"

	"golang.org/x/sys/unix"
)

// datasync makes the bytes of f durable; its length does not change.
func datasync(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return err
		}
	}
}
