//go:build !linux

package listener

// hangups is for Linux alone: elsewhere connections read until their socket is
// drained.
type hangups struct{}

func (*hangups) watch(*conn) bool { return false }

func (*hangups) forget(*conn) {}

func (*hangups) close() {}
