//go:build !failpoints

package failpoint

import "time"

// Enabled tells whether the program was built with failpoints.
const Enabled = false

// Hit does what was asked for at a place; an error is for the caller to fail with.
func Hit(Point) error { return nil }

// Pass is Hit at a place that cannot fail.
func Pass(Point) {}

// Shift is how wrong a clock is to be.
func Shift(Point) time.Duration { return 0 }
