//go:build !linux

package leastserver

import "os"

func datasync(f *os.File) error { return f.Sync() }
