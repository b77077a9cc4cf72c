package zab

// faults are bugs that Apache's servers had, to be switched on by tests that
// show that the simulation finds them. In a server all are off.
type faults struct {
	// forgetUncommitted: ZOOKEEPER-2845. The vote tells of what was applied and not of
	// what is in the log, which then holds transactions that nobody asked about.
	forgetUncommitted bool
	// newLeaderBeforeProposals: ZOOKEEPER-3104. NEWLEADER overtakes the transactions
	// that a snapshot does not hold.
	newLeaderBeforeProposals bool
	// ackNewLeaderUnlogged: ZOOKEEPER-3911. The transactions of a synchronization are
	// written only after NEWLEADER was acknowledged.
	ackNewLeaderUnlogged bool
	// serveBeforeApply: ZOOKEEPER-3023. UPTODATE is answered, and clients are served,
	// before the transactions of the synchronization were applied.
	serveBeforeApply bool
	// epochBeforeLog: ZOOKEEPER-4643, 4785. The current epoch becomes durable before
	// the transactions that it vouches for.
	epochBeforeLog bool
	// ackNewLeaderBeforeSync: ZOOKEEPER-4646. NEWLEADER is acknowledged while the
	// transactions are on their way to the disk.
	ackNewLeaderBeforeSync bool
	// ackProposalFirst: ZOOKEEPER-4685. The acknowledgement of a proposal overtakes
	// that of NEWLEADER, and the leader takes it for that.
	ackProposalFirst bool
	// commitOfLogged: ZOOKEEPER-4394. A COMMIT between NEWLEADER and UPTODATE for a
	// transaction from before NEWLEADER is not understood.
	commitOfLogged bool
	// electWithWritesUnderWay: ZOOKEEPER-4712. A new role begins while writes of the
	// old one are still under way.
	electWithWritesUnderWay bool
	// holeInWindow: ZOOKEEPER-4925. Transactions of a synchronization are in the log
	// and not in the window that learners are served from.
	holeInWindow bool
	// snapshotKeptInMemory: ZOOKEEPER-3642. A snapshot counts as the end of the log, and
	// is written only at NEWLEADER, which may never come.
	snapshotKeptInMemory bool
	// countUnlogged: ZOOKEEPER-2355. A proposal counts as the end of the log when it was
	// read, and is lost if the connection breaks before the next message.
	countUnlogged bool
	// ackBeforeSync: a proposal is acknowledged before it is durable.
	ackBeforeSync bool
	// acksOutliveTruncation: a leader counts what a learner acknowledged and was then
	// told to cut.
	acksOutliveTruncation bool
	// reconfigByOld: a reconfiguration is committed by a quorum of the members before it.
	reconfigByOld bool
	// electByOld: as long as it is not committed, those after it are not asked about
	// who leads.
	electByOld bool
	// epochNotStored: the accepted epoch is spoken of before it is durable.
	epochNotStored bool
}
