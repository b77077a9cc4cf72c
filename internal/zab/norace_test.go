//go:build !race

package zab_test

// usualSchedules is how many schedules a run without flags simulates.
const usualSchedules = 10000
