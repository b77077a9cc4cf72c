package slab

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// adviseHuge asks for pages of 2 MiB: reading a znode of a large tree then
// waits for the data, not for the page table. Systems without them refuse, and
// nothing is lost.
func adviseHuge(mem []byte) { _ = syscall.Madvise(mem, syscall.MADV_HUGEPAGE) }

// populate has the system give the pages of mem now, without changing what they
// hold. Systems before Linux 5.14 refuse, and give each when it is touched.
func populate(mem []byte) { _ = unix.Madvise(mem, unix.MADV_POPULATE_WRITE) }
