package discovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Check finds out whether an instance works. It must return soon after ctx has
// ended.
type Check func(ctx context.Context) error

// Defaults of a Checking.
const (
	DefaultInterval = 10 * time.Second
	DefaultTimeout  = 5 * time.Second
	DefaultFall     = 2
	DefaultRise     = 1
)

// Checking says how an instance is checked. Zero values stand for the defaults.
type Checking struct {
	// Name is for logs and errors.
	Name string
	// Interval is the time from one check to the next; until the instance is registered
	// first it is a second, if that is less: programs take a moment to start.
	// Default: 10 s.
	Interval time.Duration
	// Timeout bounds one check. Default: 5 s.
	Timeout time.Duration
	// Fall is how many checks in a row must fail to withdraw the instance. The
	// very first does alone. Default: 2.
	Fall int
	// Rise is how many checks in a row must pass to register it again. Default: 1.
	Rise int
}

// WithCheck registers the instance only while a check passes; with several, only
// while all do.
func WithCheck(check Check, how Checking) RegisterOption {
	if how.Interval <= 0 {
		how.Interval = DefaultInterval
	}
	if how.Timeout <= 0 {
		how.Timeout = DefaultTimeout
	}
	how.Fall, how.Rise = max(how.Fall, 0), max(how.Rise, 0)
	if how.Fall == 0 {
		how.Fall = DefaultFall
	}
	if how.Rise == 0 {
		how.Rise = DefaultRise
	}
	return func(r *Registration) {
		r.checks.all = append(r.checks.all, &checked{Checking: how, check: check, err: errUnchecked})
	}
}

// startInterval is the time from one check to the next until Rise have passed.
const startInterval = time.Second

// errUnchecked is the state of a check that was not made so far.
var errUnchecked = errors.New("not checked so far")

// checks are the checks of one registration.
type checks struct {
	all     []*checked
	running sync.WaitGroup
}

// checked is one check and its result.
type checked struct {
	Checking
	check Check

	mu   sync.Mutex
	err  error // nil: it passes
	runs int   // results in a row that speak against err
}

func newChecks() *checks { return new(checks) }

// start makes the checks until ctx ends; touch is called when a result changes.
func (c *checks) start(ctx context.Context, touch func(), log *slog.Logger) {
	for _, one := range c.all {
		c.running.Go(func() { one.run(ctx, touch, log) })
	}
}

func (c *checks) wait() { c.running.Wait() }

// passing tells whether all checks pass.
func (c *checks) passing() bool {
	for _, one := range c.all {
		if one.failure() != nil {
			return false
		}
	}
	return true
}

// failure is what a check says that fails, or nil.
func (c *checks) failure() error {
	for _, one := range c.all {
		if err := one.failure(); err != nil && !errors.Is(err, errUnchecked) {
			return err
		}
	}
	return nil
}

func (c *checked) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *checked) run(ctx context.Context, touch func(), log *slog.Logger) {
	ticker := time.NewTicker(min(c.Interval, startInterval))
	defer ticker.Stop()
	for started := false; ; {
		err := c.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if c.record(err) {
			log.Info("health check", "check", c.Name, "error", err)
			touch()
		}
		if !started && c.failure() == nil {
			started = true
			ticker.Reset(c.Interval)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (c *checked) once(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	if err := c.check(ctx); err != nil {
		return fmt.Errorf("check %s: %w", c.Name, err)
	}
	return nil
}

// record counts a result and tells whether it turns the state.
func (c *checked) record(err error) (turned bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	passes := c.err == nil
	need := c.Rise
	switch {
	case errors.Is(c.err, errUnchecked):
		need = 1
	case passes == (err == nil):
		c.runs = 0
		if err != nil {
			c.err = err
		}
		return false
	case passes:
		need = c.Fall
	}
	if c.runs++; c.runs < need {
		return false
	}
	c.err, c.runs = err, 0
	return true
}
