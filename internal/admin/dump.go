package admin

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/quollhq/quoll/internal/watch"
)

// javaDate is how Java's Date writes itself.
const javaDate = "Mon Jan 02 15:04:05 MST 2006"

// connectionInterval is what the expiry of connections is rounded up to, in ms.
const connectionInterval = 10_000

func wordDump(_ *Admin, b []byte, n *Node, _ []byte) []byte {
	b = append(b, "SessionTracker dump:\nSession "...)
	b = appendSessions(b, n)
	b = append(b, "ephemeral nodes dump:\n"...)
	b = appendEphemerals(b, n)
	b = append(b, "Connections dump:\nConnections "...)
	return appendConnections(b, n)
}

// expiresAt is the date of a time of the sessions' clock.
func expiresAt(n *Node, at int64) string {
	left := time.Duration(at-n.Listener.Clock()) * time.Millisecond
	return time.Now().Add(left).Format(javaDate)
}

func appendSessions(b []byte, n *Node) []byte {
	sets := n.Engine.Sessions.Expiries()
	total := 0
	for _, s := range sets {
		total += len(s.IDs)
	}
	b = fmt.Appendf(b, "Sets (%d)/(%d):\n", len(sets), total)
	for _, s := range sets {
		b = fmt.Appendf(b, "%d expire at %s:\n", len(s.IDs), expiresAt(n, s.At))
		for _, id := range s.IDs {
			b = fmt.Appendf(b, "\t0x%x\n", uint64(id))
		}
	}
	return b
}

// ephemerals are the znodes that end with a session.
type ephemerals struct {
	session int64
	paths   []string
}

// listEphemerals gives the ephemerals by session, in order.
func listEphemerals(n *Node) []ephemerals {
	t := n.Engine.Tree
	var list []ephemerals
	t.RLock(0)
	t.EphemeralOwners(func(session int64, count int) bool {
		e := ephemerals{session: session, paths: make([]string, 0, count)}
		for node := range t.Ephemerals(session) {
			e.paths = append(e.paths, string(t.Path(nil, node)))
		}
		list = append(list, e)
		return true
	})
	t.RUnlock(0)
	slices.SortFunc(list, func(a, b ephemerals) int { return cmp.Compare(a.session, b.session) })
	for _, e := range list {
		slices.Sort(e.paths)
	}
	return list
}

func appendEphemerals(b []byte, n *Node) []byte {
	list := listEphemerals(n)
	b = fmt.Appendf(b, "Sessions with Ephemerals (%d):\n", len(list))
	for _, e := range list {
		b = fmt.Appendf(b, "0x%x:\n", uint64(e.session))
		for _, p := range e.paths {
			b = append(append(append(b, '\t'), p...), '\n')
		}
	}
	return b
}

// appendConnections lists connections by when they are closed unless something
// is heard from them. Apache has a clock of its own for that; here it follows
// from the sessions' deadlines and the time for handshakes.
func appendConnections(b []byte, n *Node) []byte {
	byTime := make(map[int64][]string)
	conns := n.Listener.Conns()
	for i := range conns {
		c := &conns[i]
		at := n.Listener.Clock() + n.Listener.HandshakeTimeout.Milliseconds() - time.Since(c.Established).Milliseconds()
		if s := n.Engine.Sessions.Get(c.Session); s != nil {
			at = s.Deadline()
		}
		at = (at/connectionInterval + 1) * connectionInterval
		byTime[at] = append(byTime[at], fmt.Sprintf("ip: %s sessionId: 0x%x", socketAddress(c.Addr), uint64(c.Session)))
	}
	times := make([]int64, 0, len(byTime))
	for at := range byTime {
		times = append(times, at)
	}
	slices.Sort(times)
	b = fmt.Appendf(b, "Sets (%d)/(%d):\n", len(times), len(conns))
	for _, at := range times {
		b = fmt.Appendf(b, "%d expire at %s:\n", len(byTime[at]), expiresAt(n, at))
		for _, line := range byTime[at] {
			b = append(append(append(b, '\t'), line...), '\n')
		}
	}
	return b
}

func wordWchs(_ *Admin, b []byte, n *Node, _ []byte) []byte {
	return append(append(b, n.Engine.Watches.Summary().String()...), "\n"...)
}

func wordWchc(_ *Admin, b []byte, n *Node, _ []byte) []byte {
	for _, w := range n.Engine.Watches.ByWatcher() {
		id, ok := sessionOf(n, w.ID)
		if !ok || len(w.Paths) == 0 {
			continue
		}
		b = fmt.Appendf(b, "0x%x\n", uint64(id))
		for _, p := range w.Paths {
			b = append(append(append(b, '\t'), p...), '\n')
		}
	}
	return append(b, '\n')
}

func wordWchp(_ *Admin, b []byte, n *Node, _ []byte) []byte {
	for _, p := range n.Engine.Watches.ByPath() {
		b = append(append(b, p.Path...), '\n')
		for _, id := range sessionsOf(n, p.IDs) {
			b = fmt.Appendf(b, "\t0x%x\n", uint64(id))
		}
	}
	return append(b, '\n')
}

// sessionOf finds the session of a watcher; false if it is gone.
func sessionOf(n *Node, id watch.ID) (int64, bool) {
	c := n.Engine.Client(id)
	if c == nil {
		return 0, false
	}
	return c.Session.ID(), true
}

func sessionsOf(n *Node, ids []watch.ID) []int64 {
	sessions := make([]int64, 0, len(ids))
	for _, id := range ids {
		if s, ok := sessionOf(n, id); ok {
			sessions = append(sessions, s)
		}
	}
	return sessions
}
