package zab

import "fmt"

// resync is what there is to know while the state machine is not to be believed,
// though the log is.
type resync struct {
	wanted bool  // a leader's state
	left   bool  // a leader, for that
	asked  bool  // this leader was asked for it
	served int64 // the epoch of the last leader that has said UPTODATE
}

// errStateWanted ends a learner's relation with a leader that is there to stay, so
// that the next one begins with the state.
var errStateWanted = fmt.Errorf("the state is to come from the leader: %w", errMoved)

// Resync tells that the state machine differs from what the log makes of it. It is
// loaded anew at once, so that this server can take part in the election of a
// leader, and be elected; as a learner it then takes the leader's state. The log
// stays as it is: it is what this server has acknowledged.
func (p *Peer) Resync(reason string) {
	if p.stopped != nil {
		return
	}
	p.resync.wanted, p.resync.left = true, false
	p.log.applied = p.log.last
	p.write(Write{Kind: WriteTruncate, Zxid: p.log.last, Reload: true})
	p.look(reason)
}

// askForState makes a learner's log look unknown to a leader that has led for some
// time: it sends its state, which holds all that was committed. One that begins to
// lead might send one that does not, and more behind it: what this server knows
// would not be on its disk for that time.
func (p *Peer) askForState(ack *Message) {
	p.resync.asked = p.resync.wanted && p.learner.epoch == p.resync.served
	if p.resync.asked {
		ack.Zxid = -1
	}
}

// gotState notes that the state comes, or that a leader that was asked has nothing
// to send but transactions.
func (p *Peer) gotState(how Type) {
	if how == Snap || p.resync.asked {
		p.resync.wanted = false
	}
}

// leaveForState tells whether a leader that is about to let this server serve is
// left, to come back and be given its state. That is done once: a leader that could
// not do without this server leads no more then, nor would the next one.
func (p *Peer) leaveForState() bool {
	p.resync.served = p.learner.epoch
	if p.resync.wanted && !p.resync.left {
		p.resync.left = true
		return true
	}
	p.resync.wanted = false
	return false
}
