package session

// Owner is whose the session is, 0 for nobody's.
func (s *Session) Owner() Owner { return Owner(s.owner.Load()) }

// ByOwner are the sessions that somebody owns and that are not closing.
func (t *Tracker) ByOwner() map[Owner][]int64 {
	owned := make(map[Owner][]int64)
	t.mu.RLock()
	defer t.mu.RUnlock()
	for id, s := range t.sessions {
		if o := s.Owner(); o != 0 && !s.Closing() && !s.Local() {
			owned[o] = append(owned[o], id)
		}
	}
	return owned
}
