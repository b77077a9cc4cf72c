package ensemble

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/test/harness"
)

// TestReconfiguration has Apache's server lead a reconfiguration: the member that stays takes it and keeps it.
func TestReconfiguration(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, size: 3, Ensemble: harness.NewEnsemble(t, harness.EnsembleConfig{
		Seats: []harness.Seat{{Subject: harness.Quoll}, {Subject: harness.Quoll}, {Subject: harness.Apache}},
		Keys:  map[string]string{"reconfigEnabled": "true", "skipACL": "yes"},
	})}
	w.Server(3).Launch() // it wins an election of two
	w.Server(1).Launch()
	w.Server(1).WaitReady()
	w.Server(2).Launch()
	w.Server(2).WaitReady()
	if leader := w.Leader(); leader != 3 {
		t.Fatalf("member %d leads", leader)
	}
	c := w.dial(1)
	text, stat, err := c.Reconfigure(w.ctx, client.Reconfiguration{Leaving: "2", Version: -1})
	w.must(err)
	if strings.Contains(string(text), "server.2=") {
		t.Errorf("it left, and there is\n%s", text)
	}
	version := text[strings.LastIndex(string(text), "version=")+len("version="):]
	if got := fmt.Sprintf("%x", stat.Mzxid); string(version) != got {
		t.Errorf("version %s of transaction %s", version, got)
	}
	for _, sid := range []int{1, 3} {
		o := w.dial(sid)
		w.must(o.Sync(w.ctx, "/"))
		if got, _, err := o.Get(w.ctx, "/zookeeper/config"); string(got) != string(text) || err != nil {
			t.Errorf("member %d has %q, %v; want %q", sid, got, err, text)
		}
		o.Close()
	}
	w.create(c, "/after")
	file := filepath.Join(w.Server(1).Dir(), "zoo.cfg")
	main, err := os.ReadFile(file)
	w.must(err)
	if !strings.Contains(string(main), "dynamicConfigFile="+file+".dynamic."+string(version)) || strings.Contains(string(main), "server.") {
		t.Errorf("it is configured by\n%s", main)
	}
	kept, err := os.ReadFile(file + ".dynamic." + string(version))
	w.must(err)
	for line := range strings.SplitSeq(string(kept), "\n") {
		if !strings.Contains(string(text), line+"\n") {
			t.Errorf("it keeps %q of\n%s", line, text)
		}
	}
}
