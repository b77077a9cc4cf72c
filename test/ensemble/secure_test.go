package ensemble

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/quollhq/quoll/test/harness"
)

// members is a login configuration with which members know each other.
const members = `
QuorumServer { org.apache.zookeeper.server.auth.DigestLoginModule required user_member="secret"; };
QuorumLearner { org.apache.zookeeper.server.auth.DigestLoginModule required username="member" password="secret"; };
`

// TestSecure has members speak TLS and prove who they are, whoever leads; an observer does so with the follower that feeds it.
func TestSecure(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	certs := harness.NewCertificates(t)
	login := filepath.Join(t.TempDir(), "members.jaas")
	if err := os.WriteFile(login, []byte(members), 0o600); err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{
		"4lw.commands.whitelist": "*", "sslQuorum": "true", "quorum.auth.enableSasl": "true", "quorum.auth.learnerRequireSasl": "true", "quorum.auth.serverRequireSasl": "true",
	}
	maps.Copy(keys, certs.MemberKeys())
	properties := map[string]string{"java.security.auth.login.config": login, "zookeeper.fips-mode": "false"}
	port := map[string]string{"observerMasterPort": fmt.Sprint(harness.FreePort(t))}
	seats := []harness.Seat{{Subject: harness.Quoll, Keys: port}, {Subject: harness.Quoll, Keys: port}, {Subject: harness.Apache},
		{Subject: harness.Apache, Observer: true, Keys: port}}
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, size: len(seats),
		Ensemble: harness.NewEnsemble(t, harness.EnsembleConfig{Seats: seats, Keys: keys, Properties: properties})}
	w.Start()
	w.fed(1, 2)
	w.everyMemberWrites()
	w.theLeaderDies()
	w.equal()
}
