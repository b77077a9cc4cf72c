package admin

import (
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/config"
)

func TestSeatInAnEnsemble(t *testing.T) {
	w := newWorld(t, nil)
	members, err := config.ParseMembership("server.1=h1:2888:3888:participant;0.0.0.0:2181\nserver.2=h2:2889:3889|h3:2890:3890:participant\nserver.3=h4:2891:3891:observer", true)
	if err != nil {
		t.Fatal(err)
	}
	check := func(command string, want ...string) {
		t.Helper()
		_, body := w.get("/commands/" + command)
		for _, part := range want {
			if !strings.Contains(body, part) {
				t.Errorf("%s lacks %s:\n%s", command, part, body)
			}
		}
	}
	check("leader", `"error" : "server is not initialized"`)
	check("voting_view", `"current_config" : { }`)
	check("zabstate", `"voting" : false`, `"zabstate" : ""`)

	w.host.seat = &Seat{ID: 2, Leader: 2, Phase: "broadcast", Membership: members, Client: config.Endpoint{Enabled: true, Port: 2182}}
	check("leader", `"is_leader" : true`, `"leader_id" : 2`, `"leader_ip" : "h2|h3"`)
	check("voting_view", `"1" : {`, `"server_addresses" : [ "h1:2888" ]`, `"election_addresses" : [ "h2:3889", "h3:3890" ]`,
		`"client_address" : "0.0.0.0:2181"`, `"client_address" : "0.0.0.0:2182"`, `"learner_type" : "participant"`)
	if _, body := w.get("/commands/voting_view"); strings.Contains(body, "h4") {
		t.Errorf("an observer has a vote: %s", body)
	}
	check("zabstate", `"myid" : 2`, `"is_leader" : true`, `"all_addresses" : [ "h2:2889", "h3:2890" ]`, `"all_ports" : [ 3889, 3890 ]`,
		`"client_address" : "0.0.0.0:2182"`, `"voting" : true`, `"last_zxid" : "0x0"`, `"zab_epoch" : 0`, `"zab_counter" : 0`, `"zabstate" : "broadcast"`)

	w.host.seat.ID, w.host.seat.Leader = 3, 1
	check("leader", `"is_leader" : false`, `"leader_id" : 1`, `"leader_ip" : "h1"`)
	check("zabstate", `"myid" : 3`, `"voting" : false`, `"zabstate" : "broadcast"`)

	w.SetNode(nil) // while it looks
	check("leader", notServing)
	check("voting_view", notServing)
	check("zabstate", `"voting" : false`, `"zabstate" : ""`)
}
