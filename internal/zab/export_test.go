package zab

// Bug is a bug that can be planted.
type Bug struct {
	// Ticket is where it was published, empty if it was not.
	Ticket string
	What   string
	// Plant switches it on for one peer.
	Plant func(*Peer)
}

// Bugs are those that Apache's servers had, and some that nobody should have.
var Bugs = []Bug{
	{"ZOOKEEPER-2845", "a server votes with what it applied, and forgets that its log holds more", func(p *Peer) { p.faults.forgetUncommitted = true }},
	{"ZOOKEEPER-3104", "NEWLEADER overtakes the transactions that a snapshot lacks", func(p *Peer) { p.faults.newLeaderBeforeProposals = true }},
	{"ZOOKEEPER-3911", "NEWLEADER is acknowledged before the synchronization's transactions are written", func(p *Peer) { p.faults.ackNewLeaderUnlogged = true }},
	{"ZOOKEEPER-3023", "clients are served before the synchronization's transactions are applied", func(p *Peer) { p.faults.serveBeforeApply = true }},
	{"ZOOKEEPER-4643, 4785", "the current epoch is durable before the transactions that it vouches for", func(p *Peer) { p.faults.epochBeforeLog = true }},
	{"ZOOKEEPER-4646", "NEWLEADER is acknowledged while transactions are on their way to the disk", func(p *Peer) { p.faults.ackNewLeaderBeforeSync = true }},
	{"ZOOKEEPER-4685", "the acknowledgement of a proposal overtakes that of NEWLEADER", func(p *Peer) { p.faults.ackProposalFirst = true }},
	{"ZOOKEEPER-4394", "a COMMIT after NEWLEADER for a transaction from before it is not understood", func(p *Peer) { p.faults.commitOfLogged = true }},
	{"ZOOKEEPER-4712", "a new role begins while writes of the old one are under way", func(p *Peer) { p.faults.electWithWritesUnderWay = true }},
	{"ZOOKEEPER-4925", "transactions of a synchronization are missing in what later learners are served from", func(p *Peer) { p.faults.holeInWindow = true }},
	{"ZOOKEEPER-3642", "a snapshot counts as the end of the log, and is on no disk until NEWLEADER", func(p *Peer) { p.faults.snapshotKeptInMemory = true }},
	{"ZOOKEEPER-2355", "a proposal counts as the end of the log, and is not logged if the connection breaks", func(p *Peer) { p.faults.countUnlogged = true }},
	{"", "a proposal is acknowledged before it is durable", func(p *Peer) { p.faults.ackBeforeSync = true }},
	{"", "a leader counts acknowledgements of what it has told the learner to cut", func(p *Peer) { p.faults.acksOutliveTruncation = true }},
	{"", "a reconfiguration is committed by a quorum of the members before it alone", func(p *Peer) { p.faults.reconfigByOld = true }},
	{"", "a leader is elected by the members before a reconfiguration alone, while it is under way", func(p *Peer) { p.faults.electByOld = true }},
	{"", "an epoch is promised before the promise is durable", func(p *Peer) { p.faults.epochNotStored = true }},
}
