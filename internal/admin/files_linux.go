package admin

import (
	"os"
	"syscall"
)

// openFiles counts the process's descriptors, -1 if that cannot be found out.
func openFiles() int64 {
	d, err := os.Open("/proc/self/fd")
	if err != nil {
		return -1
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return -1
	}
	return int64(len(names)) - 1 // without d itself
}

// maxFiles is the limit of descriptors, -1 if that cannot be found out.
func maxFiles() int64 {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return -1
	}
	return int64(min(l.Cur, 1<<62))
}

// freeBytes is the room on the disk of dir for this process.
func freeBytes(dir string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}
