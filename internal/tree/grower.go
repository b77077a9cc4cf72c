package tree

import "github.com/quollhq/quoll/internal/slab"

// Loads of a table in hundredths of its homes. As all shards fill at the same
// pace, the index makes them larger one after the other, in the order in which
// their tables lie in memory, while their load goes from startLoad to endLoad.
// If each grew when it is full, spans of the slab that hold the tables of one
// size would be left half empty by those that grew, for long.
const (
	startLoad = 79
	endLoad   = 85
	maxLoad   = 93 // from here on a shard grows at once
)

// grower is what is known of growing.
type grower struct {
	n      int    // entries of all shards
	from   uint32 // homes of the tables that grow
	level  int    // bytes that they grow to
	cursor int    // the next shard that grows
	next   int    // n at which it does
}

// minLevel is the size in bytes from which all shards grow alike. Smaller ones
// differ too much.
const minLevel = 256

// start finds out what comes next when there are n entries.
func (g *grower) start(n int) {
	size := minLevel
	_, home := homes(size, 0)
	for n >= share(home, startLoad) {
		size = larger(size)
		_, home = homes(size, 0)
	}
	g.n, g.from, g.level, g.cursor = n, home, larger(size), 0
	g.plan()
}

// share is how many entries all shards have at this load.
func share(home uint32, load int) int { return int(home) << shardBits / 100 * load }

func (g *grower) plan() {
	from, to := share(g.from, startLoad), share(g.from, endLoad)
	g.next = from + (to-from)*g.cursor>>shardBits
}

// expect makes tables for n entries in all.
func (x *index) expect(n int) {
	if n > x.grower.n {
		x.regrow(n)
	}
}

// fit makes the tables smaller if they are for more than twice as many entries as there are.
func (x *index) fit() {
	if g := &x.grower; g.level > larger(minLevel) && g.n < share(g.from, startLoad)/2 {
		x.regrow(g.n)
	}
}

// regrow makes all tables as large as they are when there are n entries.
func (x *index) regrow(n int) {
	g := &x.grower
	has := g.n
	g.start(n)
	g.n = has
	size := minLevel
	for larger(size) < g.level {
		size = larger(size)
	}
	for i := range x.shards {
		if s := &x.shards[i]; s.size() != size {
			x.resize(s, max(size, tableBytes(s.n+s.n/4)), 0)
		}
	}
}

// grow counts an entry and makes a shard larger if it is time.
func (x *index) grow() {
	g := &x.grower
	if g.n++; g.n <= g.next {
		return
	}
	if s := &x.shards[g.cursor]; s.size() < g.level {
		x.resize(s, g.level, 0)
	}
	if g.cursor++; g.cursor == len(x.shards) {
		_, g.from = homes(g.level, 0)
		g.level = larger(g.level)
		g.cursor = 0
	}
	g.plan()
}

// shrink counts an entry less.
func (x *index) shrink() {
	g := &x.grower
	if g.n--; g.level > larger(minLevel) && g.n < share(g.from, startLoad)/4 {
		g.start(g.n)
	}
}

// larger is the size that a table of this size grows to, by 6 to 13 in 100.
func larger(size int) int { return slab.Size(size + 1) }

// homes tells how many slots a table of size bytes has, and how many of them
// are homes if extra ones are not.
func homes(size int, extra uint32) (slots, home uint32) {
	slots = uint32(size-2) / slotSize
	home = (slots - extra) * 3 / 4
	for home+1+overflow(home+1)+1+extra <= slots {
		home++
	}
	return slots, home
}

// tableBytes is the size of a table with so many homes.
func tableBytes(home uint32) int { return int(home+overflow(home)+1)*slotSize + 2 }

// overflow is how many slots follow the homes.
func overflow(home uint32) uint32 { return 4 + min(home/32, 28) }
