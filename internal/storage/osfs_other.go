//go:build !linux

package storage

// Forget does nothing: it is a hint.
func (f osFile) Forget(off, n int64) {}

// Allocate does nothing: it is a hint.
func (f osFile) Allocate(off, n int64) error { return nil }
