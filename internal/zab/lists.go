package zab

const (
	// freeLists is how many lists are kept to be used again: those of about as many
	// batches as are under way.
	freeLists = 8
	// longList is from how many transactions on a list is left to the collector: it is
	// one of those that bring a learner in line.
	longList = 4096
	// newList is room for how many transactions a new list has at least.
	newList = 16
)

// lists are lists of transactions that nobody reads any more. A server at work
// fills three for each batch; made anew they would be a third of its garbage, and
// the part that the collector has to look through.
type lists struct{ free [][]Entry }

// get is an empty list, with room for n transactions.
func (l *lists) get(n int) []Entry {
	if last := len(l.free) - 1; last >= 0 {
		list := l.free[last]
		l.free[last] = nil
		l.free = l.free[:last]
		if cap(list) >= n {
			return list
		}
	}
	return make([]Entry, 0, max(n, newList))
}

func (l *lists) put(list []Entry) {
	clear(list) // it holds on to their bytes
	if c := cap(list); c >= newList && c < longList && len(l.free) < freeLists {
		l.free = append(l.free, list[:0])
	}
}

// List is an empty list for Propose.
func (p *Peer) List() []Entry { return p.lists.get(1) }

// Reuse gives back the transactions of a Write that was done, or of a Ready's
// Commit, once nobody reads the list any more: its Sends must be made, too.
func (p *Peer) Reuse(list []Entry) { p.lists.put(list) }
