package request

import "time"

// pace decides when the writer of a leader begins a batch: each costs every member
// a sync and some messages, however few writes it has.
//
// If many wait, or clients have many under way, a batch begins once about as many
// writes wait as the members are at work on: so processors and disks have work at the
// same time.
//
// Few clients that write again as soon as they are answered would by that rule fall
// into two halves that take turns, each with syncs of its own that are in the
// other's way. There a batch waits until the one before is committed and its
// clients have written again, so that all of them share one sync. Who does so is
// seen, not guessed: nearly all clients of the last batches had a part in one of the
// few before. If some do not come back the wait ends after about as long as a batch
// takes, and is not tried again for some batches.
//
// The queue's lock guards it. Times are since any moment.
type pace struct {
	flying int // writes that the members are at work on

	closed  int           // share of clients that had a part in one of the paceWindow batches before, of closedAll; of late
	depth   int           // writes of a client in a batch, in units of one/depthOne; of late
	clients int           // that the last batch had
	all     int           // that the last two batches had
	waits   bool          // the batch before is committed, and its clients may come back
	alone   bool          // the members work on a single batch
	sent    time.Duration // when they began, if alone
	flight  time.Duration // how long they take, of late
	skip    int           // batches that do not wait
	penalty int           // how many do not after the next failure
}

const (
	// paceWindow is how many batches there are at most while a client is answered and
	// writes again, if it does so at once and batches take turns.
	paceWindow = 4
	closedAll  = 1 << 8
	depthOne   = 1 << 4
	// closedFrom is from what share of clients on that came back batches wait.
	closedFrom = closedAll * 3 / 4
	// paceClients is up to how many clients it does: with more, a sync is cheap beside
	// its writes, and it is better to do both at once.
	paceClients = 64
	// pacePenalty is what a penalty grows to, in batches.
	pacePenalty = 255
	leastWait   = 200 * time.Microsecond
	mostWait    = 2 * time.Millisecond
)

// patient tells whether batches wait for clients.
func (p *pace) patient() bool {
	return p.skip == 0 && p.closed >= closedFrom && p.all <= paceClients && p.depth <= 3*depthOne/2
}

// ripe tells whether a batch of so many writes, of which there are some, shall begin.
func (p *pace) ripe(count int) bool {
	if !p.patient() {
		return 4*count >= 3*p.flying
	}
	return p.flying == 0 && (!p.waits || count >= p.all)
}

// fly notes that the members begin to work on a batch.
func (p *pace) fly(b *batch, now time.Duration) {
	if p.alone = p.flying == 0; p.alone {
		p.sent = now
	}
	p.flying += len(b.items)
	if p.skip > 0 {
		p.skip--
	}
	if b.clients == 0 {
		return
	}
	p.all = b.clients + max(p.clients-b.stayed, 0)
	p.clients = b.clients
	p.closed += (b.again*closedAll/b.clients - p.closed) / 4
	p.depth += (len(b.items)*depthOne/b.clients - p.depth) / 4
}

// land notes that n of the writes are committed. It tells how long to wait for more
// from now on, 0 for not at all; then expire is due.
func (p *pace) land(n int, now time.Duration) time.Duration {
	p.flying = max(p.flying-n, 0)
	if p.flying > 0 {
		return 0
	}
	if p.alone {
		p.flight += (now - p.sent - p.flight) / 8
	}
	if !p.patient() {
		return 0
	}
	p.waits = true
	return min(max(2*p.flight, leastWait), mostWait)
}

// expire ends the wait.
func (p *pace) expire() {
	if p.waits {
		p.waits = false
		p.penalty = min(2*p.penalty+1, pacePenalty)
		p.skip = p.penalty
	}
}

// take notes that all that waits is taken. It tells whether expire is not due any more.
func (p *pace) take() bool {
	if !p.waits {
		return false
	}
	p.waits = false
	p.penalty /= 2
	return true
}
