package failpoint

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// action is what a rule does.
type action int

const (
	crash action = iota
	fail
	stall
	shift
)

// rule is what happens at a place.
type rule struct {
	text     string
	action   action
	err      error         // of fail
	duration time.Duration // of stall and shift
	chance   float64
	times    int // that are left
}

// ErrSyntax is for a text that is no list of rules.
var ErrSyntax = errors.New("bad failpoints")

// Parse reads rules: see the package's text.
func Parse(text string) (map[Point]*rule, error) {
	rules := map[Point]*rule{}
	for part := range strings.SplitSeq(text, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, what, ok := strings.Cut(part, "=")
		point := Point(strings.TrimSpace(name))
		known := slices.IndexFunc(Points(), func(d Description) bool { return d.Point == point })
		if !ok || known < 0 {
			return nil, fmt.Errorf("%w: %q names no place", ErrSyntax, part)
		}
		r, err := parseRule(what)
		if err != nil {
			return nil, fmt.Errorf("%w: %q: %w", ErrSyntax, part, err)
		}
		if r.action == fail && !Points()[known].Fails {
			return nil, fmt.Errorf("%w: %q cannot fail", ErrSyntax, part)
		}
		rules[point] = r
	}
	return rules, nil
}

func parseRule(text string) (*rule, error) {
	r := &rule{text: strings.TrimSpace(text), chance: 1, times: math.MaxInt}
	words := strings.Split(r.text, ",")
	verb, argument, _ := strings.Cut(strings.TrimSuffix(words[0], ")"), "(")
	var err error
	switch verb {
	case "crash":
		r.action = crash
	case "fail":
		r.action = fail
		r.err, err = failure(argument)
	case "stall":
		r.action = stall
		r.duration, err = time.ParseDuration(argument)
	case "shift":
		r.action = shift
		r.duration, err = time.ParseDuration(argument)
	default:
		err = fmt.Errorf("%q is no action", verb)
	}
	for _, word := range words[1:] {
		word = strings.TrimSpace(word)
		if percent, ok := strings.CutSuffix(word, "%"); ok {
			var f float64
			f, err = strconv.ParseFloat(percent, 64)
			r.chance = f / 100
		} else if times, ok := strings.CutSuffix(word, "x"); ok {
			r.times, err = strconv.Atoi(times)
		} else {
			err = fmt.Errorf("%q says neither how often nor how many times", word)
		}
		if err != nil {
			break
		}
	}
	return r, err
}

func failure(name string) (error, error) {
	switch name {
	case "":
		return errors.New("told to fail"), nil
	case "ENOSPC":
		return syscall.ENOSPC, nil
	case "EIO":
		return syscall.EIO, nil
	}
	return nil, fmt.Errorf("%q is no error that is known", name)
}
