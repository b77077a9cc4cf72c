package functions_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/configcenter"
	"github.com/quollhq/quoll/internal/servertest"
)

// Who uses a command wrongly is told how to use it.
func TestUsage(t *testing.T) {
	for _, test := range []struct {
		words []string
		want  string
	}{
		{[]string{"lock", "job"}, "Usage: quoll lock [flags] NAME -- COMMAND"},
		{[]string{"lock", "--slots", "0", "job", "--", "true"}, "--slots wants at least 1, not 0"},
		{[]string{"lock", "--wait=-1s", "job", "--", "true"}, "--wait wants a time, not -1s"},
		{[]string{"queue", "take", "--grace=-1s", "job", "--", "true"}, "--grace wants a time, not -1s"},
		{[]string{"queue", "put", "--priority", "1", "jobs", "x"}, "--priority wants --layout curator-priority or kazoo or kazoo-locking, here and where"},
		{[]string{"queue", "put", "--delay", "1m", "jobs", "x"}, "--delay wants --layout curator-delay, here and where"},
		{[]string{"queue", "put", "--delay=-1m", "--layout", "curator-delay", "jobs", "x"}, "--delay wants a time, not -1m0s"},
		{[]string{"queue", "take", "--attempts", "3", "jobs"}, "--attempts wants --dead-letters"},
		{[]string{"queue", "take", "--attempts", "0", "--dead-letters", "dead", "jobs"}, "--attempts wants at least 1, not 0"},
		{[]string{"queue", "take", "--dead-letters", "", "jobs"}, "--dead-letters wants the name of a queue"},
		{[]string{"queue", "take", "--dead-letters", "/queues/jobs", "jobs"}, "--dead-letters wants another queue than jobs itself"},
		{[]string{"register", "--drain=-1s", "job", "--port", "1"}, "--drain wants a time, not -1s"},
		{[]string{"register", "a", "--port", "1", "--grace", "1s"}, "--grace has no meaning without a command\nUsage: quoll register"},
		{[]string{"register", "a", "--port", "1", "--fall", "3"}, "--fall has no meaning without --check"},
		{[]string{"register", "a", "--port", "1", "--check", "tcp://a:1", "--fall", "0"}, "--fall wants more than 0"},
		{[]string{"register", "a", "--port", "1", "--check", "tcp://a:1", "--rise", "-1"}, "--rise wants more than -1"},
		{[]string{"register", "a", "--port", "1", "--check", "tcp://a:1", "--interval", "0"}, "--interval wants more than 0s"},
		{[]string{"register", "a", "--port", "1", "--check", "tcp://nohost"}, `--check wants tcp://HOST:PORT, with a port from 1 to 65535, not "tcp://nohost"`},
		{[]string{"register", "a", "--port", "1", "--check", "grpc://a:0/x"}, "--check wants grpc://HOST:PORT"},
		{[]string{"register", "a", "--port", "1", "--check", "http://a:70000"}, "--check wants http://HOST:PORT"},
		{[]string{"register", "a", "--port", "1", "--check", "http://"}, "--check wants http://, https://"},
		{[]string{"register", "a/b", "--port", "1"}, `"a/b" is not the name of a service: it contains a slash; --base`},
		{[]string{"elect", "--once", "job", "--", "true"}, "--once tells who leads, and runs no command\nUsage: quoll elect"},
		{[]string{"elect", "--id", "me", "job"}, "--id has no meaning without a command"},
		{[]string{"discover", "a", "--dns", "127.0.0.1:0"}, "--dns answers for all services: it wants none\nUsage: quoll discover"},
		{[]string{"discover", "-w", "--dns", "127.0.0.1:0"}, "--watch prints: only one of them"},
		{[]string{"discover", "-w", "a", "--dns", "127.0.0.1:0"}, "--dns answers for all services: it wants none"},
		{[]string{"discover", "--dns", ""}, "--dns wants an address"},
		{[]string{"discover", "--domain", "foo"}, "--domain has no meaning without --dns"},
		{[]string{"queue", "take", "--grace", "1s", "job"}, "--grace has no meaning without a command"},
		{[]string{"elect", "--grace=-1s", "job", "--", "true"}, "--grace wants a time, not -1s"},
		{[]string{"config", "set", "orders"}, "nothing to set or to delete\nUsage: quoll config set CONTEXT"},
		{[]string{"config", "set", "orders", "a=1", "a=2"}, `"a" is given twice`},
		{[]string{"config", "set", "orders", "a=1", "--encrypt", "a=2"}, `"a" is given twice`},
		{[]string{"template", "-t", "wrong_test.go:./wrong_test.go"}, "the file to make is the template"},
		{[]string{"config", "history", "orders", "-n", "-1"}, "--number wants"},
		{[]string{"lock", "nightly", "echo", "hi"}, "-- is missing before the command\nUsage: quoll lock"},
		{[]string{"count"}, "Usage: quoll count [flags] NAME [+N | -N | =N]"},
		{[]string{"count", "a", "+1", "-2"}, "Usage: quoll count"},
		{[]string{"count", "--session-timeout", "-1", "a"}, `invalid argument "-1"`},
		{[]string{"count", "--output", "-1", "a"}, `"-1"`},
		{[]string{"count", "a", "-x"}, "Try: quoll count --help"},
		{[]string{"register", "orders"}, "where is the instance? --port"},
		{[]string{"register"}, "Usage: quoll register SERVICE"},
		{[]string{"discover", "a", "b"}, "Usage: quoll discover [SERVICE]"},
		{[]string{"config", "who"}, "Usage: quoll config who APP"},
		{[]string{"config", "rollback"}, "Usage: quoll config rollback CONTEXT REVISION"},
		{[]string{"config", "canary", "start", "orders"}, "Usage: quoll config canary start CONTEXT NAME"},
		{[]string{"config", "canary", "start", "orders", "c", "a=1"}, "who sees the canary? --instance, --label or --percent"},
		{[]string{"config", "encrypt", "a"}, "quoll config keygen NAME draws a key"},
		{[]string{"config", "get", "a", "--keyring", "no-such-file"}, "--keyring: open no-such-file"},
		{[]string{"config", "sett", "orders"}, `quoll config has no command "sett"`},
		{[]string{"config", "canary", "begin"}, `quoll config canary has no command "begin"`},
		{[]string{"queue", "get", "jobs"}, `quoll queue has no command "get"`},
		{[]string{"queue", "put"}, "Usage: quoll queue put [flags] NAME [MESSAGE]"},
		{[]string{"queue", "put", "--nice", "jobs"}, "Try: quoll queue put --help"},
	} {
		err := quoll(servertest.Context(t), "127.0.0.1:1", "", t.Output(), test.words...)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %q", test.words, err, test.want)
		}
	}
	var help bytes.Buffer
	check(t, quoll(servertest.Context(t), "127.0.0.1:1", "", &help, "count", "--help"))
	if !strings.Contains(help.String(), "--format") {
		t.Error(help.String())
	}
}

// What is not there is an error if it is to be read, and is nothing if it is to be
// counted, which is said.
func TestMissing(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	for _, test := range []struct {
		words []string
		out   string // what is printed if it is no error
		say   string
	}{
		{[]string{"discover", "orders"}, "", `there is no service "orders": no node /services/orders`},
		{[]string{"discover", "--layout", "dubbo", "a.B"}, "", "no node /dubbo/a.B/providers"},
		{[]string{"config", "get", "shop"}, "", `nothing is published for "shop": no properties below /config/shop`},
		{[]string{"config", "resolve", "shop", "--profile", "prod"}, "", "/config/application, /config/application,prod, /config/shop, /config/shop,prod"},
		{[]string{"config", "history", "shop"}, "", `nothing is published for "shop"`},
		{[]string{"config", "drift", "shop"}, "", `nothing is published for "shop"`},
		{[]string{"config", "canary", "list", "shop"}, "", `nothing is published for "shop"`},
		{[]string{"config", "who", "shop"}, "", `nobody follows the configuration of "shop"`},
		{[]string{"config", "list"}, "", "there are no contexts below /config so far"},
		{[]string{"discover"}, "", "there are no services so far"},
		{[]string{"queue", "length", "jobs"}, "0\n", "there is no queue /queues/jobs so far"},
		{[]string{"count", "visits"}, "0\n", "there is no counter /counters/visits so far"},
	} {
		var out, errs bytes.Buffer
		err := quollErr(ctx, server, "", &out, &errs, test.words...)
		said := errs.String()
		if err != nil {
			said += err.Error()
		}
		lists := len(test.words) == 1 || test.words[1] == "who" || test.words[1] == "list"
		if fails := test.out == "" && !lists; (err != nil) != fails || out.String() != test.out || !strings.Contains(said, test.say) {
			t.Errorf("%q: %v, %q, %q", test.words, err, out.String(), said)
		}
	}
	if !strings.Contains(server, "/") { // it is not one to stay below a node of
		err := quoll(ctx, server+"/app", "", t.Output(), "count", "visits")
		if err == nil || !strings.Contains(err.Error(), "there is no node /app to stay below") {
			t.Error(err)
		}
	}
	c := servertest.Dial(t, server)
	check(t, c.EnsurePath(ctx, "/services/orders"))
	want(t, server, "", "ID  ADDRESS  STATE  WEIGHT  ZONE  METADATA\n", 0, "discover", "orders")
	if err := quoll(ctx, server, "", t.Output(), "register", "orders", "--address", "not a host", "--port", "80"); err == nil || !strings.Contains(err.Error(), `"not a host", which is no host name`) {
		t.Error(err)
	}
	want(t, server, "", "{\"service\":\"orders\",\"instances\":[]}\n", 0, "discover", "-o", "json", "orders")
}

// A node that is no message of the layout is named, with what can be done about it.
func TestForeignMessage(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	want(t, server, "", "", 0, "queue", "put", "--layout", "curator-delay", "--delay", "1h", "later", "x")
	want(t, server, "", "", 0, "queue", "put", "--layout", "curator-priority", "--priority", "5", "urgent", "x")
	c := servertest.Dial(t, server)
	names, err := c.ChildNames(ctx, "/queues/later")
	check(t, err)
	for _, node := range []string{"/queues/urgent/readme", "/queues/content/queue-0000000000"} {
		check(t, c.EnsurePath(ctx, node))
	}
	for _, test := range []struct {
		words []string
		want  string
	}{
		{[]string{"later"}, "Its name is one of --layout curator-delay; use that, or delete it: quoll cli delete '/queues/later/" + names[0] + "'"},
		{[]string{"content"}, "while it is there; to delete it: quoll cli delete '/queues/content/queue-0000000000'"},
		{[]string{"--layout", "curator-priority", "urgent"}, "while it is there; to delete it: quoll cli delete '/queues/urgent/readme'"},
	} {
		err := quoll(ctx, server, "", t.Output(), append([]string{"queue", "take", "--try"}, test.words...)...)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v", test.words, err)
		}
	}
	check(t, c.Delete(ctx, "/queues/urgent/readme", client.AnyVersion))
	want(t, server, "", "x\n", 0, "queue", "take", "--layout", "curator-priority", "urgent")
}

// Who registers with an id that is taken says whose place that is; the one before
// says who has taken it, and ends.
func TestRegisterTwice(t *testing.T) {
	server := servertest.Start(t)
	ctx, interrupt := context.WithCancel(servertest.Context(t))
	defer interrupt()
	c := servertest.Dial(t, server)
	data := func() string {
		text, _, err := c.Get(servertest.Context(t), "/services/orders/a")
		if err != nil && !client.Transient(err) {
			return err.Error()
		}
		return string(text)
	}
	type ending struct {
		err       error
		out, errs text
	}
	register := func(address string) <-chan *ending {
		ended := make(chan *ending, 1)
		e := new(ending)
		go func() {
			e.err = quollErr(ctx, server, "", &e.out, &e.errs, "register", "orders", "--id", "a", "--address", address, "--port", "80")
			ended <- e
		}()
		// It is there, and has said so: one that is interrupted before that has not registered.
		await(t, func() bool { return strings.Contains(data(), address) && strings.Contains(e.out.String(), address) })
		return ended
	}
	first := register("10.0.0.1")
	second := register("10.0.0.2")
	e := <-first
	const taken = "/services/orders/a: another program has registered with the same id: it is at 10.0.0.2:80 now"
	if e.err == nil || !strings.Contains(e.err.Error(), taken) || !strings.Contains(e.out.String(), "gone ("+taken) {
		t.Errorf("%v, %q", e.err, e.out.String())
	}
	interrupt()
	e = <-second
	if e.err != nil || !strings.Contains(e.errs.String(), "an instance has this id already, and is replaced") || !strings.Contains(e.errs.String(), "address=10.0.0.1:80") {
		t.Errorf("%v, %q", e.err, e.errs.String())
	}
}

// What is printed as JSON says what the table does.
func TestInstancesAsJSON(t *testing.T) {
	server := servertest.Start(t)
	dir := t.TempDir()
	ctx, interrupt := context.WithCancel(servertest.Context(t))
	defer interrupt()
	ended := register(ctx, t, server, dir)
	var out bytes.Buffer
	check(t, quoll(servertest.Context(t), server, "", &out, "discover", "orders", "-o", "json"))
	if !strings.Contains(out.String(), `"id":"a","address":"10.0.0.1","state":"ready","weight":1,"zone":"",`) {
		t.Error(out.String())
	}
	out.Reset()
	check(t, quoll(servertest.Context(t), server, "", &out, "discover", "orders"))
	if !strings.Contains(out.String(), "a   10.0.0.1  ready  1       -     -\n") {
		t.Error(out.String())
	}
	interrupt()
	check(t, endIt(dir))
	check(t, <-ended)
}

// A base of 0 is one that is checked.
func TestFirstRevision(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	check(t, quoll(ctx, server, "", t.Output(), "config", "set", "orders", "--base", "0", "a=1"))
	err := quoll(ctx, server, "", t.Output(), "config", "set", "orders", "--base", "0", "a=2")
	if !errors.Is(err, configcenter.ErrConflict) {
		t.Error(err)
	}
	check(t, quoll(ctx, server, "", t.Output(), "config", "set", "orders", "a=2", "--base", "1"))
	if err := quoll(ctx, server, "", t.Output(), "config", "set", "orders", "--base", "-1", "a=3"); err == nil {
		t.Error("a base below zero is no error")
	}
}
