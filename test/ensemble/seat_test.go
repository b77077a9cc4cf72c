package ensemble_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"testing"

	"github.com/quollhq/quoll/test/harness"
)

// TestSeatCommands has members of both kinds tell of themselves: the commands of the
// admin server say the same, each by its place.
func TestSeatCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	e := harness.NewEnsemble(t, harness.EnsembleConfig{Admin: true, Seats: []harness.Seat{
		{Subject: harness.Quoll}, {Subject: harness.Apache}, {Subject: harness.Quoll}, {Subject: harness.Quoll, Observer: true},
	}})
	e.Start()
	leader := e.Leader()
	ask := func(sid int, command string) map[string]any {
		t.Helper()
		resp, err := http.Get("http://" + e.Server(sid).AdminAddr() + "/commands/" + command)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		var doc map[string]any
		if err == nil {
			err = json.Unmarshal(body, &doc)
		}
		if err != nil || doc["error"] != nil {
			t.Fatalf("%s of %d: %s, error %v", command, sid, body, err)
		}
		return doc
	}
	keys := func(doc any) []string { return slices.Sorted(maps.Keys(doc.(map[string]any))) }
	const apache = 2
	for _, sid := range []int{1, 3, 4} {
		for _, command := range []string{"leader", "zabstate", "voting_view"} {
			theirs, ours := ask(apache, command), ask(sid, command)
			if !slices.Equal(keys(theirs), keys(ours)) {
				t.Errorf("%s of %d has %v, Apache's %v", command, sid, keys(ours), keys(theirs))
			}
		}
		l := ask(sid, "leader")
		if l["leader_id"] != float64(leader) || l["is_leader"] != (sid == leader) || l["leader_ip"] != ask(apache, "leader")["leader_ip"] {
			t.Errorf("leader of %d: %v, but %d leads", sid, l, leader)
		}
		z := ask(sid, "zabstate")
		if z["myid"] != float64(sid) || z["is_leader"] != (sid == leader) || z["voting"] != (sid != 4) || z["zabstate"] != "broadcast" {
			t.Errorf("zabstate of %d: %v", sid, z)
		}
		theirs := ask(apache, "zabstate")
		for _, key := range []string{"quorum_address", "election_address"} {
			if !slices.Equal(keys(theirs[key]), keys(z[key])) {
				t.Errorf("%s of %d has %v, Apache's %v", key, sid, keys(z[key]), keys(theirs[key]))
			}
		}
		// Only the own client port is known without a line that names it.
		view := func(of int) any {
			v := ask(of, "voting_view")["current_config"].(map[string]any)
			for _, m := range v {
				delete(m.(map[string]any), "client_address")
			}
			return v
		}
		if theirs, ours := view(apache), view(sid); !reflect.DeepEqual(theirs, ours) {
			t.Errorf("voting_view of %d: %v, Apache's %v", sid, ours, theirs)
		}
	}
}
