//go:build failpoints

package failpoint

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Enabled tells whether the program was built with failpoints.
const Enabled = true

// ErrInjected is what fails without an error of its own.
var ErrInjected = errors.New("failpoint")

// Hit does what was asked for at a place; an error is for the caller to fail with.
func Hit(p Point) error {
	r := active().take(p)
	if r == nil {
		return nil
	}
	slog.Default().Warn("failpoint", "point", string(p), "action", r.text)
	switch r.action {
	case crash:
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case stall:
		time.Sleep(r.duration)
	case fail:
		return fmt.Errorf("%w %s: %w", ErrInjected, p, r.err)
	}
	return nil
}

// Pass is Hit at a place that cannot fail.
func Pass(p Point) { _ = Hit(p) }

// Shift is how wrong a clock is to be.
func Shift(p Point) time.Duration {
	if r := active().take(p); r != nil && r.action == shift {
		return r.duration
	}
	return 0
}

// plan is what the environment asks for.
type plan struct {
	file, reached string

	mu      sync.Mutex
	looked  time.Time // at the file
	text    string
	rules   map[Point]*rule
	visited map[Point]bool
}

// active is the process's plan: places have no way to be given one.
var active = sync.OnceValue(func() *plan {
	p := &plan{reached: os.Getenv("FAILPOINTS_REACHED"), visited: map[Point]bool{}}
	text := os.Getenv("FAILPOINTS")
	if name, ok := strings.CutPrefix(text, "@"); ok {
		p.file = name
	} else {
		p.set(text)
	}
	return p
})

func (p *plan) set(text string) {
	rules, err := Parse(text)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	p.text, p.rules = text, rules
}

// lookEvery is how often a file may be looked at.
const lookEvery = 5 * time.Millisecond

// take is the rule for a place, if it is due.
func (p *plan) take(at Point) *rule {
	if at == "" || p.file == "" && p.reached == "" && len(p.rules) == 0 {
		return nil // before the lock: this is every server of most tests
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note(at)
	if now := time.Now(); p.file != "" && now.Sub(p.looked) > lookEvery {
		p.looked = now
		if b, err := os.ReadFile(p.file); err == nil && string(b) != p.text {
			p.set(string(b))
		}
	}
	r := p.rules[at]
	if r == nil || r.times == 0 || r.chance < 1 && rand.Float64() >= r.chance {
		return nil
	}
	r.times--
	return r
}

// note writes down that a place was reached.
func (p *plan) note(at Point) {
	if p.reached == "" || p.visited[at] {
		return
	}
	p.visited[at] = true
	f, err := os.OpenFile(p.reached, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = fmt.Fprintln(f, at)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "FAILPOINTS_REACHED:", err)
	}
}
