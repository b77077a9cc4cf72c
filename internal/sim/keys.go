package sim

import (
	"cmp"
	"maps"
	"slices"
)

// sortedKeys makes the order of a map the same every time: chance comes only
// from the seed.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
