package admin

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/quollhq/quoll/internal/config"
)

// Seat is a member's place in its ensemble while it serves.
type Seat struct {
	// ID is the member's number, Leader that of the member that leads.
	ID, Leader int64
	// State is what the member does, Phase how far the member has come in its role.
	State, Phase string
	// Membership is who belongs to the ensemble.
	Membership config.Membership
	// Client is where the member lets clients in.
	Client config.Endpoint
}

// endpoint is where a member lets clients in, as far as is known.
func (s *Seat) endpoint(m config.Member) string {
	e := m.Client
	if m.ID == s.ID && !e.Enabled {
		e = s.Client
	}
	if !e.Enabled {
		return ""
	}
	if e.Host == "" {
		e.Host = "0.0.0.0"
	}
	return e.String()
}

// quorumPort and electionPort are those of an address.
func quorumPort(a config.PeerAddr) int   { return a.Quorum }
func electionPort(a config.PeerAddr) int { return a.Election }

// peerAddresses are those of a member, with one of the two ports.
func peerAddresses(m config.Member, port func(config.PeerAddr) int) (addresses, hosts, everywhere []string, ports []int64) {
	for _, a := range m.Addrs {
		p := strconv.Itoa(port(a))
		addresses = append(addresses, net.JoinHostPort(a.Host, p))
		hosts = append(hosts, a.Host)
		everywhere = append(everywhere, net.JoinHostPort("0.0.0.0", p))
		ports = append(ports, int64(port(a)))
	}
	return addresses, hosts, everywhere, ports
}

// addressObject is what Apache's server shows of its own addresses. It tries
// which of them answer; here they all do.
func addressObject(m config.Member, port func(config.PeerAddr) int) object {
	addresses, hosts, everywhere, ports := peerAddresses(m, port)
	first := ""
	if len(addresses) > 0 {
		first = addresses[0]
	}
	return object{
		{"empty", len(addresses) == 0},
		{"all_addresses", addresses},
		{"wildcard_addresses", everywhere},
		{"all_ports", ports},
		{"all_host_strings", hosts},
		{"reachable_address", first},
		{"all_reachable_addresses", addresses},
		{"all_reachable_addresses_or_all", addresses},
		{"reachable_or_one", first},
		{"one", first},
	}
}

// seat is the place of the member that serves; false for a server that is alone
// or serves nobody, or serves read-only clients.
func (c *call) seat() (Seat, bool) {
	if c.node == nil || !c.node.Engine.Serving() || c.node.Engine.ReadsOnly() {
		return Seat{}, false
	}
	return c.node.Host.Seat()
}

// cmdLeader tells who leads.
func cmdLeader(_ *Admin, c *call) *response {
	s, ok := c.seat()
	if !ok {
		return c.answer(field{"error", "server is not initialized"})
	}
	leader, _ := s.Membership.Find(s.Leader)
	_, hosts, _, _ := peerAddresses(leader, quorumPort)
	return c.answer(field{"is_leader", s.ID == s.Leader}, field{"leader_id", s.Leader}, field{"leader_ip", strings.Join(hosts, "|")})
}

// cmdVotingView shows the members that have a vote.
func cmdVotingView(_ *Admin, c *call) *response {
	view := object{}
	s, _ := c.seat()
	for _, m := range s.Membership.Members {
		if m.Role != config.Participant {
			continue
		}
		quorum, _, _, _ := peerAddresses(m, quorumPort)
		election, _, _, _ := peerAddresses(m, electionPort)
		view = append(view, field{strconv.FormatInt(m.ID, 10), object{
			{"server_addresses", quorum},
			{"election_addresses", election},
			{"client_address", s.endpoint(m)},
			{"learner_type", m.Role.String()},
		}})
	}
	return c.answer(field{"current_config", view})
}

// cmdZabState shows this member's place.
func cmdZabState(_ *Admin, c *call) *response {
	s, ok := c.seat()
	if !ok {
		return c.answer(field{"voting", false}, field{"zabstate", ""})
	}
	own, member := s.Membership.Find(s.ID)
	own.ID = s.ID // one that is about to join is no member so far
	zxid := uint64(c.node.Engine.Zxid())
	return c.answer(
		field{"myid", s.ID},
		field{"is_leader", s.ID == s.Leader},
		field{"quorum_address", addressObject(own, quorumPort)},
		field{"election_address", addressObject(own, electionPort)},
		field{"client_address", s.endpoint(own)},
		field{"voting", member && own.Role == config.Participant},
		field{"last_zxid", fmt.Sprintf("0x%x", zxid)},
		field{"zab_epoch", int64(zxid >> 32)},
		field{"zab_counter", int64(zxid & 0xffffffff)},
		field{"zabstate", s.Phase},
	)
}
