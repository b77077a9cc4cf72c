//go:build !unix

package slab

import "unsafe"

// mapMemory takes n bytes from Go's heap where there is no mmap.
func mapMemory(n int) ([]byte, error) {
	words := make([]uint64, n/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), n), nil
}

func unmapMemory([]byte) {}

func populate([]byte) {}
