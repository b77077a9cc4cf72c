// Package tally sums up what happens, for those who ask later. Adding is a few
// atomic operations: it neither allocates nor waits, and may be done from many
// goroutines. What is read while others add may be off by what they are at.
package tally
