//go:build !linux

package storage

// Allocate does nothing: it is a hint.
func (f osFile) Allocate(off, n int64) error { return nil }
