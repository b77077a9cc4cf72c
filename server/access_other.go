//go:build !unix

package server

// mayWrite is not known here.
func mayWrite(string) error { return nil }
