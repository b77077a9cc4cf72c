package storage

import "golang.org/x/sys/cpu"

// adlerVector tells whether the processor sums blocks at once.
var adlerVector = cpu.X86.HasAVX2

// adlerBlocks sums n blocks of 32 bytes from p on, of which there are at most adlerVectorMost: all bytes; for each block
// all bytes before it; and all bytes, each times the number of bytes from its place to the end of its block.
//
//go:noescape
func adlerBlocks(p *byte, n int) (bytes, before, weighted uint64)
