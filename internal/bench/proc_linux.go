package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of /proc/<pid>/stat: Linux reports USER_HZ, which is
// 100 on every architecture that Go runs on.
const clockTick = 10 * time.Millisecond

// procCPU is the CPU time that a process has used, user and system, of all
// its threads, those that ended included.
func procCPU(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The command name may hold anything, parentheses too; fields are counted
	// from the last one.
	end := bytes.LastIndexByte(b, ')')
	if end < 0 {
		return 0, fmt.Errorf("/proc/%d/stat has no command", pid)
	}
	fields := strings.Fields(string(b[end+1:]))
	const utime, stime = 14 - 3, 15 - 3
	if len(fields) <= stime {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields)+2)
	}
	var ticks int64
	for _, f := range []string{fields[utime], fields[stime]} {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// procMemory is what a process holds in memory. The proportional share is 0
// where it may not be read.
func procMemory(pid int) (Memory, error) {
	status, err := readKB(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, err
	}
	m := Memory{RSS: status["VmRSS"], Peak: status["VmHWM"]}
	if rollup, err := readKB(fmt.Sprintf("/proc/%d/smaps_rollup", pid)); err == nil {
		m.PSS = rollup["Pss"]
	}
	return m, nil
}

// readKB reads lines like "VmRSS:  1234 kB", in bytes.
func readKB(path string) (map[string]int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m := make(map[string]int64)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		rest, ok := strings.CutSuffix(rest, " kB")
		if n, err := strconv.ParseInt(strings.TrimSpace(rest), 10, 64); ok && err == nil {
			m[name] = n << 10
		}
	}
	return m, lines.Err()
}

// findListener is the process on this machine that listens on a TCP port.
func findListener(port int) (int, error) {
	inodes, err := listeningInodes(port)
	if err != nil {
		return 0, err
	}
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return 0, err
	}
	for _, link := range links {
		target, err := os.Readlink(link)
		if err == nil && inodes[target] {
			return strconv.Atoi(strings.Split(link, "/")[2])
		}
	}
	return 0, fmt.Errorf("no process that may be looked at listens on port %d: %w", port, os.ErrNotExist)
}

// listeningInodes names the sockets that listen on port, as /proc/<pid>/fd does.
func listeningInodes(port int) (map[string]bool, error) {
	inodes := make(map[string]bool)
	suffix := fmt.Sprintf(":%04X", port)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, err := os.ReadFile(table)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(b)) {
			const local, state, inode, listen = 1, 3, 9, "0A"
			f := strings.Fields(line)
			if len(f) > inode && f[state] == listen && strings.HasSuffix(f[local], suffix) {
				inodes["socket:["+f[inode]+"]"] = true
			}
		}
	}
	return inodes, nil
}
