//go:build !amd64

package storage

const adlerVector = false

func adlerBlocks(*byte, int) (bytes, before, weighted uint64) { panic("no vectors") }
