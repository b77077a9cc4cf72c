"""Makes go-zookeeper/zk's own tests tests of compat/zk.

    gozk-tests.py SOURCE TARGET

copies the tests from SOURCE into TARGET, which has compat/zk's files. Tests of what nobody outside of the original can
see are left out; where one reaches into a connection to break it, or a session to end it, that is done from outside.
"""

import pathlib
import re
import shutil
import sys

source, target = map(pathlib.Path, sys.argv[1:])

# Of the original's inside: its codec, its table of watches, its queue of requests.
LEFT_OUT = [
    "TestEncodeDecodePacket", "TestRequestStructForOp", "TestEncodeShortBuffer", "TestDecodeShortBuffer",
    "TestIntegration_RecurringReAuthHang", "TestDeadlockInClose", "TestNotifyWatches", "TestParseSeq",
]

CHANGES = {
    "server_help_test.go": [
        # The date of a build has another form since ZooKeeper 3.6; the clients may be the original's.
        ("Connect([]string{fmt.Sprintf(\"127.0.0.1:%d\", tc.Servers[idx].Port)}, time.Second*15)",
         "Connect([]string{fmt.Sprintf(\"127.0.0.1:%d\", tc.Servers[idx].Port)}, time.Second*15, recorded)"),
        ("Connect(hosts, sessionTimeout, options...)", "Connect(hosts, sessionTimeout, append([]connOption{recorded}, options...)...)"),
    ],
    "cluster_test.go": [
        ("zk.eventChan", "zk.events"),
        ("zk.sessionTimeoutMs", "15000"),
        ("zk.sessionID", "zk.SessionID()"),
        ("zk.conn.Close()", "sever(zk)"),
    ],
    "zk_test.go": [
        ("\tzk.sessionID = 99999\n", "\texpire(t, zk)\n"),
        ("time.Millisecond*500)\n", "time.Millisecond*500, recorded)\n"),
        ("zk.reconnectLatch = make(chan struct{})", "letGo := hold(zk)"),
        ("close(zk.reconnectLatch)", "letGo()"),
        ("""	zk.setWatchLimit = 1024 // break up set-watch step into 1k requests
	var setWatchReqs atomic.Value
	zk.setWatchCallback = func(reqs []*setWatchesRequest) {
		setWatchReqs.Store(reqs)
	}
""", ""),
        ("zk.conn.Close()", "sever(zk)"),
        ('\t"sync/atomic"\n', ""),
    ],
}

HELP = '''package zk

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
)

var (
	conns sync.Map // net.Conn by *Conn
	gates sync.Map // *sync.RWMutex by *Conn, which dialling takes
)

// recorded is an option: what it records lets a test break connections.
func recorded(c *Conn) {
	gate := new(sync.RWMutex)
	gates.Store(c, gate)
	c.dialer = func(network, address string, timeout time.Duration) (net.Conn, error) {
		gate.RLock()
		defer gate.RUnlock()
		nc, err := net.DialTimeout(network, address, timeout)
		if err == nil {
			conns.Store(c, nc)
		}
		return nc, err
	}
}

func sever(c *Conn) {
	nc, _ := conns.Load(c)
	nc.(net.Conn).Close()
}

// hold keeps a connection from being opened until what it returns is called.
func hold(c *Conn) (letGo func()) {
	for c.State() != StateHasSession {
		time.Sleep(10 * time.Millisecond)
	}
	gate, _ := gates.Load(c)
	gate.(*sync.RWMutex).Lock()
	return gate.(*sync.RWMutex).Unlock
}

// expire ends a session at the server: somebody else takes it over and closes it.
func expire(t *testing.T, c *Conn) {
	s := c.client.Session()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	letGo := hold(c)
	defer letGo()
	other, err := client.Dial(ctx, c.Server(), client.WithSession(s.ID(), s.Password()))
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
}
'''


def without(text, name):
    """Takes a function out."""
    return re.sub(rf"(?ms)^func {name}\(.*?^}}\n", "", text)


for path in source.glob("*_test.go"):
    text = path.read_text()
    for old, new in CHANGES.get(path.name, []):
        if old not in text:
            sys.exit(f"{path.name} has no {old!r}")
        text = text.replace(old, new)
    for name in LEFT_OUT:
        text = without(text, name)
    # The rest of this test looks at the packets that set watches again.
    text = re.sub(r"(?ms)^\t// Yay! All watches fired correctly\..*?^}\n", "}\n", text)
    if path.name == "conn_test.go":
        text += "\nvar (\n\t_ = context.Background\n\t_ = fmt.Sprint\n\t_ = ioutil.Discard\n\t_ sync.Once\n)\n"
    if path.name == "structs_test.go" or "func Test" not in text and "package zk" not in text:
        continue
    (target / path.name).write_text(text)
(target / "help_test.go").write_text(HELP)
