package config

import "strings"

// suggest returns the known key that name is likely a misspelling of, "" when
// none is near enough.
func (t *table) suggest(name string) string {
	best, least := "", 0
	want := plain(name)
	for i := range t.keys {
		k := &t.keys[i]
		if k.NotApplicable != "" && strings.HasSuffix(k.Name, ".X") {
			continue
		}
		candidate := k.Name
		if p := k.prefix(); p != "" {
			candidate = p + patternTail(name)
		}
		d := distance(want, plain(candidate), tolerance(want))
		if d <= tolerance(want) && (best == "" || d < least) {
			best, least = candidate, d
		}
	}
	return best
}

// patternTail returns what follows the last dot, as the N of server.N.
func patternTail(name string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 && i+1 < len(name) {
		return name[i+1:]
	}
	return "1"
}

// plain is name without the differences that are never meant: case and separators.
func plain(name string) string {
	return strings.NewReplacer(".", "", "_", "", "-", "").Replace(strings.ToLower(name))
}

// tolerance is how many slips a name of this length may have.
func tolerance(name string) int { return min(max(len(name)/4, 1), 3) }

// distance counts the insertions, deletions, replacements and swaps of
// neighbours between a and b; above limit it may be any larger number.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	prev2, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], prev2[j-2]+1)
			}
		}
		prev2, prev, row = prev, row, prev2
	}
	return prev[len(b)]
}
