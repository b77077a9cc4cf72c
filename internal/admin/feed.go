package admin

import "time"

// feedTime is how long metrics wait for what a member knows of others.
const feedTime = time.Second

// Feed is how transactions come to a member of an ensemble, and go on from there.
type Feed struct {
	// Master is the member that an observer is fed by, 0 of any other server.
	Master int64
	// Leads and Feeds tell who has learners: the leader, and a follower that feeds
	// observers.
	Leads, Feeds bool
	// Leading is how long this member has led, if it does.
	Leading  time.Duration
	Learners []Learner
	// PendingSyncs is how many syncs of learners have no answer so far.
	PendingSyncs int
}

// Learner is a member that is fed.
type Learner struct {
	ID int64
	// Observer, or a follower with a vote or without.
	Observer, Voter bool
	// Synced tells that it hears of everything as it happens.
	Synced bool
	// Remote is its address; Since is when it came.
	Remote string
	Since  time.Time
	// Queued packets, of QueuedBytes, wait to be sent to it.
	Queued, QueuedBytes int
	// Sent and Received are packets, Requests those of its clients, since it came or
	// were counted anew.
	Sent, Received, Requests int64
	// Zxid is what was sent last, -1 if nothing was.
	Zxid int64
}

// count is how many learners there are that hear of everything.
func (f *Feed) count(of func(*Learner) bool) (n int64) {
	for i := range f.Learners {
		if l := &f.Learners[i]; l.Synced && of(l) {
			n++
		}
	}
	return n
}

func observes(l *Learner) bool { return l.Observer }

// gauges are those of any server, and those that its role brings along.
func (s *scrape) gauges() []metric {
	list := append(gauges(), s.seatGauges()...)
	f := &s.feed
	if f.Leads {
		list = append(append(list, s.leaderGauges()...),
			num("learners", "Followers and observers that are connected.", func(*scrape) int64 { return int64(len(f.Learners)) }),
			num("synced_followers", "Followers that hear of everything as it happens.", func(*scrape) int64 { return f.count(func(l *Learner) bool { return !l.Observer }) }),
			num("synced_non_voting_followers", "Those of them without a vote.", func(*scrape) int64 {
				return f.count(func(l *Learner) bool { return !l.Observer && !l.Voter })
			}))
	}
	if f.Leads || f.Feeds {
		list = append(list, num("synced_observers", "Observers that hear of everything as it happens, from this member.", func(*scrape) int64 { return f.count(observes) }))
	}
	if f.Master != 0 {
		list = append(list, num("observer_master_id", "The member that this observer is fed by.", func(*scrape) int64 { return f.Master }))
	}
	return list
}

// cmdObservers shows the observers that this member feeds.
func cmdObservers(_ *Admin, c *call) *response {
	f := c.node.Host.Feed(c.ctx)
	list := []object{}
	for i := range f.Learners {
		l := &f.Learners[i]
		if !l.Observer || !l.Synced {
			continue
		}
		list = append(list, object{
			{"remote_socket_address", "/" + l.Remote},
			{"sid", l.ID},
			{"established", l.Since.UnixMilli()},
			{"queued_packets", l.Queued},
			{"queued_packets_size", l.QueuedBytes},
			{"packets_received", l.Received},
			{"packets_sent", l.Sent},
			{"requests", l.Requests},
			{"last_zxid", l.Zxid},
		})
	}
	return c.answer(field{"synced_observers", len(list)}, field{"observers", list})
}

// cmdObserverReset begins to count anew.
func cmdObserverReset(a *Admin, c *call) *response {
	if err := c.node.Host.Recount(c.ctx); err != nil && c.ctx.Err() == nil {
		a.Logger.Warn("the command observer_connection_stat_reset came to nothing", "error", err)
	}
	return c.answer()
}
