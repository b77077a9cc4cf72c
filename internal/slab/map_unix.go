//go:build unix

package slab

import "syscall"

// mapMemory takes n zeroed bytes from the system, outside of Go's heap.
func mapMemory(n int) ([]byte, error) {
	mem, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err == nil {
		adviseHuge(mem)
	}
	return mem, err
}

func unmapMemory(mem []byte) {
	if err := syscall.Munmap(mem); err != nil {
		panic("slab: giving memory back: " + err.Error()) // not what mapMemory returned
	}
}
