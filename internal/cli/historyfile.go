package cli

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
)

// maxHistory bounds the lines that are kept.
const maxHistory = 1000

// historyFile is where lines are kept from one shell to the next:
// QUOLL_HISTORY, or .quoll_history in the user's home. "" keeps none.
func historyFile() string {
	if path, ok := os.LookupEnv("QUOLL_HISTORY"); ok {
		return path
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".quoll_history")
}

// lineHistory is the lines typed, for the editor's up key. It is kept in a
// file, readable for its owner alone: lines can hold passwords. That a file
// cannot be written is no reason to disturb anybody.
type lineHistory struct {
	path  string
	lines []string // oldest first
}

func openHistory(path string) *lineHistory {
	h := &lineHistory{path: path}
	f, err := os.Open(path)
	if err != nil {
		return h
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		h.lines = append(h.lines, s.Text())
	}
	if n := len(h.lines); n > maxHistory {
		h.lines = h.lines[n-maxHistory:]
		_ = os.WriteFile(path, []byte(strings.Join(h.lines, "\n")+"\n"), 0o600)
	}
	return h
}

// Add appends a line, unless it is that before, empty, or holds credentials.
func (h *lineHistory) Add(line string) {
	if line == "" || len(h.lines) > 0 && h.lines[len(h.lines)-1] == line {
		return
	}
	h.lines = append(h.lines, line)
	if h.path == "" || strings.HasPrefix(strings.TrimSpace(line), "addauth") {
		return
	}
	f, err := os.OpenFile(h.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	_, _ = f.WriteString(line + "\n")
	_ = f.Close()
}

// Len is the number of lines.
func (h *lineHistory) Len() int { return len(h.lines) }

// At is the line idx before the newest.
func (h *lineHistory) At(idx int) string { return h.lines[len(h.lines)-1-idx] }
