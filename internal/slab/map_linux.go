package slab

import "syscall"

// adviseHuge asks for pages of 2 MiB: reading a znode of a large tree then
// waits for the data, not for the page table. Systems without them refuse, and
// nothing is lost.
func adviseHuge(mem []byte) { _ = syscall.Madvise(mem, syscall.MADV_HUGEPAGE) }
