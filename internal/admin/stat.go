package admin

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/quollhq/quoll/internal/auth"
	"github.com/quollhq/quoll/internal/listener"
	"github.com/quollhq/quoll/internal/proto"
)

func wordSrvr(a *Admin, b []byte, n *Node, _ []byte) []byte {
	return a.appendStats(a.appendTitle(b, n), n)
}

func wordStat(a *Admin, b []byte, n *Node, _ []byte) []byte {
	b = append(a.appendTitle(b, n), "Clients:\n"...)
	for _, c := range n.Listener.Conns() {
		b = append(a.appendConn(b, &c, true), '\n')
	}
	b = append(b, '\n')
	return a.appendStats(b, n)
}

func (a *Admin) appendTitle(b []byte, n *Node) []byte {
	b = append(b, "Zookeeper version: "+a.Version+"\n"...)
	if n.Engine.ReadsOnly() {
		b = append(b, "READ-ONLY mode; serving only read-only clients\n"...)
	}
	return b
}

// appendStats appends the figures of the server as a whole.
func (a *Admin) appendStats(b []byte, n *Node) []byte {
	m := &n.Engine.Metrics
	lat := m.All()
	b = fmt.Appendf(b, "Latency min/avg/max: %d/%s/%d\n", lat.Min.Milliseconds(), javaDouble(average(lat)), lat.Max.Milliseconds())
	b = fmt.Appendf(b, "Received: %d\nSent: %d\nConnections: %d\n", m.Received.Load(), m.Sent.Load(), n.Listener.Len())
	b = fmt.Appendf(b, "Outstanding: %d\nZxid: 0x%x\nMode: %s\n", n.Engine.InFlight(), uint64(n.Engine.Zxid()), n.Mode())
	return fmt.Appendf(b, "Node count: %d\n", treeFigures(n).nodes)
}

func wordCons(a *Admin, b []byte, n *Node, _ []byte) []byte {
	for _, c := range n.Listener.Conns() {
		b = append(a.appendConn(b, &c, false), '\n')
	}
	return append(b, '\n')
}

// appendConn describes a connection.
func (a *Admin) appendConn(b []byte, c *listener.ConnInfo, brief bool) []byte {
	b = fmt.Appendf(b, " %s[%x](queued=%d,recved=%d,sent=%d", socketAddress(c.Addr), interest(c), c.Pending, c.Received, c.Sent)
	if !brief && c.Session != 0 {
		b = fmt.Appendf(b, ",sid=0x%x,lop=%s,est=%d,to=%d", uint64(c.Session), lastOp(c), c.Established.UnixMilli(), c.Timeout)
		if c.LastXid >= 0 {
			b = fmt.Appendf(b, ",lcxid=0x%x", c.LastXid)
		}
		b = fmt.Appendf(b, ",lzxid=0x%x,lresp=%d,llat=%d,minlat=%d,avglat=%d,maxlat=%d", uint64(c.LastZxid), a.elapsed(c.LastResponse),
			c.LastLatency.Milliseconds(), c.MinLatency.Milliseconds(), c.AvgLatency.Milliseconds(), c.MaxLatency.Milliseconds())
	}
	return append(b, ')')
}

// interest is what Apache's selector would wait for: 1 to read, 4 to write.
func interest(c *listener.ConnInfo) int {
	switch {
	case c.Word:
		return 0
	case c.Waiting:
		return 5
	}
	return 1
}

// socketAddress writes an address as Java does that has no name.
func socketAddress(a netip.AddrPort) string { return "/" + hostPort(a) }

// hostPort is ADDRESS:PORT, an IPv6 address in brackets.
func hostPort(a netip.AddrPort) string {
	host := auth.HostAddress(a.Addr())
	if !a.Addr().Unmap().Is4() {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(a.Port()))
}

// lastOp is Apache's code of the last request of a connection.
func lastOp(c *listener.ConnInfo) string {
	if !c.HasLast {
		return "NA"
	}
	return opCode(c.LastOp)
}

func opCode(op proto.Op) string {
	switch op {
	case proto.OpPing:
		return "PING"
	case proto.OpCreateSession:
		return "SESS"
	case proto.OpMulti:
		return "MULT"
	case proto.OpMultiRead:
		return "MLTR"
	case proto.OpCreate, proto.OpCreate2, proto.OpCreateTTL, proto.OpCreateContainer:
		return "CREA"
	case proto.OpDelete, proto.OpDeleteContainer:
		return "DELE"
	case proto.OpSetData:
		return "SETD"
	case proto.OpReconfig:
		return "RECO"
	case proto.OpSetACL:
		return "SETA"
	case proto.OpCloseSession:
		return "CLOS"
	case proto.OpSync:
		return "SYNC"
	case proto.OpCheck:
		return "CHEC"
	}
	return readCode(op)
}

func readCode(op proto.Op) string {
	switch op {
	case proto.OpExists:
		return "EXIS"
	case proto.OpGetData:
		return "GETD"
	case proto.OpSetWatches:
		return "SETW"
	case proto.OpSetWatches2:
		return "STW2"
	case proto.OpAddWatch:
		return "ADDW"
	case proto.OpGetACL:
		return "GETA"
	case proto.OpGetChildren, proto.OpGetChildren2:
		return "GETC"
	case proto.OpGetAllChildrenNumber:
		return "GETACN"
	case proto.OpCheckWatches:
		return "CHKW"
	case proto.OpRemoveWatches:
		return "REMW"
	case proto.OpWhoAmI:
		return "HOMI"
	case proto.OpGetEphemerals:
		return "GETE"
	}
	return "NA"
}

// elapsed is a moment in milliseconds since the server started, 0 for none. Java
// counts from some other moment; nothing follows from which.
func (a *Admin) elapsed(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Sub(a.Began).Milliseconds()
}
