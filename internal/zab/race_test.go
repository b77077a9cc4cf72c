//go:build race

package zab_test

// With the race detector a schedule takes ten times as long, and there are no
// races to find in a simulation: few of them are for the code around it.
const (
	usualSchedules = 150
	plantedLimit   = 30
)
