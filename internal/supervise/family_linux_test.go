package supervise

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// What a member starts when it has got SIGTERM is left to it. What was started
// before, and found later, gets it, too.
func TestUntold(t *testing.T) {
	const guard = 1
	f := &family{told: make(map[int]bool)}
	command, child := process{10, guard}, process{11, 10}
	for _, round := range []struct{ all, want []process }{
		{[]process{command, child}, []process{command, child}},
		{[]process{command, {12, 10}, {13, 12}}, nil},                                                               // it cleans up
		{[]process{command, {14, guard}, {12, 10}, {15, 14}, {13, 12}, {16, 13}}, []process{{14, guard}, {15, 14}}}, // whose parent has ended
		{[]process{command, {14, guard}, {15, 14}, {17, 15}}, nil},
	} {
		if got := f.untold(round.all); !slices.Equal(got, round.want) {
			t.Errorf("%v: %v, want %v", round.all, got, round.want)
		}
	}
}

// A list of another namespace's processes, in which ids mean others, is none.
func TestDescendants(t *testing.T) {
	proc := t.TempDir()
	write := func(pid, parent int, state string) {
		dir := filepath.Join(proc, strconv.Itoa(pid))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "stat"), []byte(strconv.Itoa(pid)+" (a) b) "+state+" "+strconv.Itoa(parent)+" 1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	own := os.Getpid()
	write(own+1, own, "Z")
	write(own+2, own+1, "S")
	for self, want := range map[int][]process{own: {{own + 2, own + 1}}, own + 7: nil} {
		link := filepath.Join(proc, "self")
		if err := os.Symlink(strconv.Itoa(self), link); err != nil {
			t.Fatal(err)
		}
		if got, known := descendants(proc); known != (want != nil) || !slices.Equal(got, want) {
			t.Errorf("own id %d: %v, %v", self, got, known)
		}
		if err := os.Remove(link); err != nil {
			t.Fatal(err)
		}
	}
}
