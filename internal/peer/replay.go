package peer

// replayable tells whether a learner whose log ends with zxid gets what it lacks from the log on disk rather than the
// state: if the log holds that very transaction and what follows, and if that is little beside a state.
func (p *Peer) replayable(zxid int64) bool {
	if p.cfg.ReplayFactor < 0 || zxid <= 0 {
		return false
	}
	ok, err := p.cfg.Store.Replayable(zxid, p.cfg.ReplayFactor)
	if err != nil {
		p.log.Warn("the log cannot be looked at for a learner", "after", hex(zxid), "err", err)
	}
	return ok
}
