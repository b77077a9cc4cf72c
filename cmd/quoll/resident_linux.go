package main

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// forgetProgram gives back the pages of the program itself that starting up has
// touched. The kernel maps 64 KiB of the file around each access, which makes
// most of a large binary resident although a server uses little of it. What it
// does use comes back from the page cache, page by page. Any failure only
// leaves things as they were.
func forgetProgram() {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		// 00400000-00b79000 r-xp 00000000 fd:00 1234    /usr/bin/quoll
		f := strings.Fields(lines.Text())
		if len(f) < 6 || f[5] != self || strings.Contains(f[1], "w") {
			continue
		}
		from, to, _ := strings.Cut(f[0], "-")
		start, err1 := strconv.ParseUint(from, 16, 64)
		end, err2 := strconv.ParseUint(to, 16, 64)
		if err1 != nil || err2 != nil || end <= start {
			continue
		}
		forget(uintptr(start), uintptr(end-start))
	}
}

// forget drops pages that are mapped read-only from a file: they hold what the
// file holds, and come back when they are touched.
func forget(start, length uintptr) {
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, start, length, syscall.MADV_DONTNEED)
}
