//go:build unix

package server

import "syscall"

// mayWrite tells whether files may be made in dir.
func mayWrite(dir string) error {
	const write, search = 2, 1
	return syscall.Access(dir, write|search)
}
