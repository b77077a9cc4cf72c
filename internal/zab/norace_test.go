//go:build !race

package zab_test

const (
	// usualSchedules is how many schedules a run without flags simulates.
	usualSchedules = 10000
	// plantedLimit is how many schedules there are to find a planted bug.
	plantedLimit = enoughForAll
)
