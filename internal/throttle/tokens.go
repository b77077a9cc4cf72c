package throttle

import (
	"math"
	"sync"
)

// TokenOptions describe a bucket of tokens that new sessions take from. Apache
// calls them connection_throttle_*.
type TokenOptions struct {
	Max       int   // tokens in a full bucket; 0: no throttle
	FillTime  int64 // ms in which FillCount tokens are added; at least 1
	FillCount int

	// FreezeTime is how long the dropping probability stays as it is, in ms; -1
	// is for no dropping by chance. Afterwards it grows by DropIncrease if the
	// bucket is empty, and falls by DropDecrease if no more than DecreaseRatio of
	// the bucket is missing.
	FreezeTime                                int64
	DropIncrease, DropDecrease, DecreaseRatio float64

	// Weighted makes a session cost tokens by its kind, and Max and FillCount
	// count new global sessions instead of tokens.
	Weighted                               bool
	GlobalWeight, RenewWeight, LocalWeight int
}

// weights gives the weights in effect: one that makes no sense is replaced.
func (o *TokenOptions) weights() (global, renew, local int) {
	weight := func(w, usual int) int {
		if w <= 0 {
			return usual
		}
		return max(w, o.LocalWeight)
	}
	local = o.LocalWeight
	if local <= 0 {
		local = 1
	}
	return weight(o.GlobalWeight, 3), weight(o.RenewWeight, 2), local
}

// Tokens is a bucket of tokens, with dropping by chance before it in the manner
// of the BLUE algorithm: under constant overload, those who happen to come just
// after the bucket was filled would win every time; chance is fair.
type Tokens struct {
	o      TokenOptions
	chance func() float64

	mu       sync.Mutex
	tokens   int
	filled   int64 // when the bucket was filled last
	drop     float64
	adjusted int64 // when drop was adjusted last
}

// NewTokens returns a full bucket. chance gives numbers in [0,1).
func NewTokens(o TokenOptions, chance func() float64, now int64) *Tokens {
	o.GlobalWeight, o.RenewWeight, o.LocalWeight = o.weights()
	if o.Weighted {
		o.Max *= o.GlobalWeight
		o.FillCount *= o.GlobalWeight
	}
	o.FillTime = max(o.FillTime, 1)
	return &Tokens{o: o, chance: chance, tokens: o.Max, filled: now, adjusted: now}
}

// Off tells whether there is no throttle.
func (t *Tokens) Off() bool { return t.o.Max == 0 }

// Weight is how many tokens a session costs: one that its client comes back to
// (renew), or a new one.
func (t *Tokens) Weight(renew, local bool) int {
	switch {
	case !t.o.Weighted:
		return 1
	case renew:
		return t.o.RenewWeight
	case local:
		return t.o.LocalWeight
	}
	return t.o.GlobalWeight
}

// Take takes tokens out, or tells that it may not.
func (t *Tokens) Take(need int, now int64) bool {
	if t.Off() {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fill(now)
	if t.o.FreezeTime >= 0 && t.dropped(now) || t.tokens < need {
		return false
	}
	t.tokens -= need
	return true
}

func (t *Tokens) fill(now int64) {
	passed := now - t.filled
	if passed <= t.o.FillTime {
		return
	}
	add := t.missing()
	if n := int64(t.o.FillCount); n == 0 || passed <= math.MaxInt64/n {
		add = int(min(int64(add), passed*n/t.o.FillTime))
	}
	t.tokens += add
	t.filled = now
}

// dropped adjusts the dropping probability and lets chance decide.
func (t *Tokens) dropped(now int64) bool {
	if now-t.adjusted > t.o.FreezeTime {
		enough := int(math.Floor(float64(t.o.Max)*t.o.DecreaseRatio + 0.5))
		switch {
		case t.tokens == 0 && t.drop < 1:
			t.drop = min(t.drop+t.o.DropIncrease, 1)
		case t.missing() <= enough && t.drop > 0:
			t.drop = max(t.drop-t.o.DropDecrease, 0)
		}
		t.adjusted = now
	}
	return t.chance() < t.drop
}

func (t *Tokens) missing() int { return t.o.Max - t.tokens }

// Deficit is how many tokens are missing in the bucket.
func (t *Tokens) Deficit() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.missing()
}

// DropChance is the probability with which a session is refused by chance.
func (t *Tokens) DropChance() float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.drop
}
