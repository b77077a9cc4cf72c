package differential

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/quollhq/quoll/test/harness"
)

// player is Apache's server and quoll side by side.
type player struct {
	t      testing.TB
	judge  *world // Apache's
	quoll  *world
	apache *harness.Server
	server *harness.Server // quoll's
	swaps  int
}

// The servers' bounds of a session's time-out, in ms. No session may expire while the test runs, however slow the machine
// is: it would on one server before it does on the other.
const leastTimeout, mostTimeout = 600_000, 1_200_000

// config is what both servers run with.
func config(dataDir string) harness.Config {
	return harness.Config{
		DataDir: dataDir,
		Keys: map[string]string{
			"extendedTypesEnabled": "true",
			"enforceQuota":         "true",
			"reconfigEnabled":      "false",
			"forceSync":            "no", // nothing here is about durability, and the disk is slow
			"minSessionTimeout":    fmt.Sprint(leastTimeout),
			"maxSessionTimeout":    fmt.Sprint(mostTimeout),
			"snapCount":            "4000",
			"DigestAuthenticationProvider.superDigest": digestOf(super),
		},
		Properties: map[string]string{
			"jute.maxbuffer": fmt.Sprint(maxBuffer),
			// Containers and znodes with a time to live must not go at times that differ.
			"znode.container.checkIntervalMs": "1000000000",
		},
	}
}

func newPlayer(t testing.TB) *player {
	t.Helper()
	p := &player{t: t}
	p.apache = harness.Start(t, harness.Apache, config(""))
	p.server = harness.Start(t, harness.Quoll, config(""))
	p.judge = newWorld("apache", p.apache.Addr())
	p.quoll = newWorld("quoll", p.server.Addr())
	return p
}

// swap stops both servers and starts each on the other's data.
type swap struct{}

func (swap) String() string           { return "stop both servers and start each on the other's data" }
func (swap) run(w *world) observation { return observation{} }

func (p *player) swap() {
	apacheData, quollData := p.apache.DataDir(), p.server.DataDir()
	p.apache.Stop()
	p.server.Stop()
	p.apache = harness.Start(p.t, harness.Apache, config(quollData))
	p.server = harness.Start(p.t, harness.Quoll, config(apacheData))
	p.judge, p.quoll = p.quoll.moved("apache", p.apache.Addr()), p.judge.moved("quoll", p.server.Addr())
	p.swaps++
}

// play takes a step on both servers. It returns what the judge did, and whether quoll did something else.
func (p *player) play(s step) (judge, quoll observation, same bool) {
	if _, ok := s.(swap); ok {
		p.swap()
		return observation{}, observation{}, true
	}
	done := make(chan observation, 1)
	go func() { done <- s.run(p.judge) }()
	quoll = s.run(p.quoll)
	judge = <-done
	judge.finish(p.judge)
	quoll.finish(p.quoll)
	same = slices.Equal(judge.lines, quoll.lines) && judge.closed == quoll.closed && !judge.stuck && !quoll.stuck
	return judge, quoll, same
}

// explain shows what both servers did, the differing lines marked.
func explain(judge, quoll observation) string {
	var b strings.Builder
	n := max(len(judge.lines), len(quoll.lines))
	shown := 0
	for i := range n {
		a, q := line(judge, i), line(quoll, i)
		if a == q {
			if n <= 20 {
				fmt.Fprintf(&b, "    both    %s\n", a)
			}
			continue
		}
		fmt.Fprintf(&b, "    apache  %s\n    quoll   %s\n", a, q)
		if shown++; shown == 20 {
			b.WriteString("    and more\n")
			break
		}
	}
	if judge.stuck || quoll.stuck {
		fmt.Fprintf(&b, "    no answer: apache %v, quoll %v\n", judge.stuck, quoll.stuck)
	}
	return b.String()
}

func line(o observation, i int) string {
	if i < len(o.lines) {
		return o.lines[i]
	}
	return "(nothing)"
}

// transcript is steps as people read them.
func transcript(steps []step) string {
	var b strings.Builder
	for i, s := range steps {
		fmt.Fprintf(&b, "%4d %s\n", i+1, s)
	}
	return b.String()
}
