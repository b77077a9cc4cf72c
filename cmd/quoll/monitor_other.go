//go:build !linux

package main

// calmMonitor has nothing to do where threads have no timer slack.
func calmMonitor() {}

func resumeThreads() bool { return false }
