package zab

// WriteKind says what a Write makes durable.
type WriteKind int

// The kinds of writes.
const (
	// WriteNothing changes nothing: it is there for what it releases.
	WriteNothing WriteKind = iota
	// WriteAppend appends Entries to the log.
	WriteAppend
	// WriteAccepted stores Epoch as the accepted epoch.
	WriteAccepted
	// WriteCurrent stores Epoch as the current epoch.
	WriteCurrent
	// WriteTruncate cuts the log after Zxid, which must be the end of the log then,
	// or of the snapshot before it; anything else is a failure.
	WriteTruncate
	// WriteSnapshot replaces log and state by Snapshot, the state as of Zxid. It is
	// durable as a whole or not at all.
	WriteSnapshot
	// WriteLastSeen stores Config as the configuration that was seen last.
	WriteLastSeen
	// WriteActive stores Config as the configuration in force.
	WriteActive
)

// String is a word for logs.
func (k WriteKind) String() string {
	return [...]string{"nothing", "append", "accepted epoch", "current epoch", "truncate", "snapshot", "last seen configuration", "active configuration"}[k]
}

// Write is something to make durable. Writes are done in their order: a later
// one may not become durable without all earlier ones. One sync may serve many.
type Write struct {
	// Seq goes to Peer.Stored when this write and all before it are durable.
	Seq      uint64
	Kind     WriteKind
	Entries  []Entry
	Epoch    int64
	Zxid     int64
	Snapshot any
	// Reload tells that what is cut was applied, or that all that is there shall be, so
	// that the state machine is to be loaded anew. Otherwise it may be behind the end
	// of the log, and must stay there: what it lacks is handed out once it is known
	// to be committed.
	Reload bool
	Config []byte
	// Ack, if not 0, is the link on which each of Entries is acknowledged once this
	// write and all before it are durable, before Release.
	Ack Link
	// Release may be sent once this write and all before it are durable, and not
	// earlier: an acknowledgement, the acceptance of an epoch.
	Release []Outgoing
}

// Span is a part of the log on disk: the transactions in (After, UpTo].
type Span struct{ After, UpTo int64 }

// Send is what goes to a link. Sends to one link keep their order.
type Send struct {
	Link Link
	// Msg is nil for a Replay. With SNAP the state as of Msg.Zxid is sent behind
	// the message: all of Ready.Commit that came so far, and nothing later.
	Msg *Message
	// Each, if not nil, makes many messages of it: Msg once for each of these
	// transactions, with its number, and unless it is a COMMIT the transaction. Msg
	// belongs to many.
	Each []Entry
	// Replay is a part of the log that is no longer in memory: each transaction is
	// sent as a PROPOSAL with its COMMIT.
	Replay *Span
}

// Messages calls f for each of the messages. It is not for a Replay.
func (s *Send) Messages(f func(*Message)) {
	if s.Each == nil {
		f(s.Msg)
		return
	}
	for _, e := range s.Each {
		m := *s.Msg
		m.Zxid = e.Zxid
		if m.Type != Commit {
			m.Entry = e
		}
		f(&m)
	}
}

// Upcall is a message for those above, who act on what the state machine knows
// once everything in Commit was applied.
type Upcall struct {
	Link Link
	Msg  *Message
}

// Phase is how far a server has come in its role.
type Phase int

// The phases.
const (
	// Election is the phase of a server that looks for a leader.
	Election Phase = iota
	// Discovery is agreeing on an epoch.
	Discovery
	// Synchronization is bringing logs in line.
	Synchronization
	// Broadcast is the time of transactions, and the only one in which clients are served.
	Broadcast
)

// String is a word for logs.
func (p Phase) String() string {
	return [...]string{"election", "discovery", "synchronization", "broadcast"}[p]
}

// Status is what a server is.
type Status struct {
	State State
	Phase Phase
	// Leader is the leader's number, meaningful unless State is Looking.
	Leader int64
	// Epoch is the epoch of the log: the current one.
	Epoch int64
	// Reason says why the server went looking.
	Reason string
	// Left is why the last role was left, also in the role that follows. Meant tells
	// that nothing went wrong: the lead was handed over, or a reconfiguration moved it.
	Left  string
	Meant bool
}

// Serving tells whether clients may be served.
func (s Status) Serving() bool { return s.Phase == Broadcast }

// Read is an answer to Peer.ConfirmRead: what was committed up to Zxid when the
// question was asked must be applied before the read.
type Read struct {
	Token uint64
	Zxid  int64
	// OK is false if the server stopped leading meanwhile.
	OK bool
}

// Ready is what there is to do. The parts are worked on in the order of the
// fields; all but Writes can be done at once, without waiting for a disk.
type Ready struct {
	// Writes are to be made durable, in order. Their Release messages wait for that.
	Writes []Write
	// Votes go to other servers by the election's connections. A vote replaces
	// an older one to the same server that was not sent.
	Votes []Ballot
	// Sends go to learners, or to the leader.
	Sends []Send
	// Commit is to be applied, in order.
	Commit []Entry
	// Reads are answers to ConfirmRead, which wait for Commit.
	Reads []Read
	// Upcalls are for those above.
	Upcalls []Upcall
	// Close are links that are given up. What was sent to them before should still
	// leave, if that takes no long time; nothing depends on it.
	Close []Link
	// Connect, if not nil, is the server to connect to as a learner.
	Connect *int64
	// Status is set when it has changed. Clients are let go when it stops serving,
	// and let in when it starts, both after Commit.
	Status *Status
	// Config is the configuration that came into force, nil if none did.
	Config *Membership
}

// Empty tells whether there is nothing to do.
func (r *Ready) Empty() bool {
	return len(r.Writes)+len(r.Votes)+len(r.Sends)+len(r.Commit)+len(r.Reads)+len(r.Upcalls)+len(r.Close) == 0 &&
		r.Connect == nil && r.Status == nil && r.Config == nil
}

// write adds a write. Appends that stand side by side become one.
func (p *Peer) write(w Write) {
	p.seq++
	w.Seq = p.seq
	if n := len(p.out.Writes); n > 0 && p.out.Writes[n-1].takes(&w) {
		last := &p.out.Writes[n-1]
		last.Entries = append(last.Entries, w.Entries...)
		last.Release = append(last.Release, w.Release...)
		last.Seq = w.Seq
		p.pending = p.pending[:len(p.pending)-1] // last's
	} else {
		p.out.Writes = append(p.out.Writes, w)
	}
	p.pending = append(p.pending, durable{seq: w.Seq, last: p.log.last, current: p.current})
}

// writeEntry is write of one transaction.
func (p *Peer) writeEntry(e *Entry, ack Link) {
	n := len(p.out.Writes)
	if n == 0 || !p.out.Writes[n-1].extends(ack) {
		p.write(Write{Kind: WriteAppend, Ack: ack, Entries: append(p.lists.get(1), *e)})
		return
	}
	p.seq++
	last := &p.out.Writes[n-1]
	last.Entries, last.Seq = append(last.Entries, *e), p.seq
	p.pending[len(p.pending)-1] = durable{seq: p.seq, last: p.log.last, current: p.current}
}

// takes tells whether next can be a part of w.
func (w *Write) takes(next *Write) bool {
	return next.Kind == WriteAppend && w.extends(next.Ack)
}

// extends tells whether w can take transactions that are acknowledged on this link.
func (w *Write) extends(ack Link) bool {
	return w.Kind == WriteAppend && w.Ack == ack && len(w.Release) == 0
}

// Acks calls send for each acknowledgement that the write sets free, and for each
// message of Release.
func (w *Write) Acks(send func(Link, *Message)) {
	if w.Ack != 0 {
		for i := range w.Entries {
			send(w.Ack, &Message{Type: Ack, Zxid: w.Entries[i].Zxid})
		}
	}
	for _, o := range w.Release {
		send(o.Link, o.Msg)
	}
}

// releaseAfterWrites sends m once everything that was written so far is durable.
func (p *Peer) releaseAfterWrites(link Link, m *Message) {
	o := Outgoing{Link: link, Msg: m}
	switch n := len(p.out.Writes); {
	case n > 0:
		p.out.Writes[n-1].Release = append(p.out.Writes[n-1].Release, o)
	case p.stored == p.seq:
		p.send(link, m)
	default:
		p.write(Write{Kind: WriteNothing, Release: []Outgoing{o}})
	}
}

func (p *Peer) send(link Link, m *Message) {
	p.out.Sends = append(p.out.Sends, Send{Link: link, Msg: m})
}
