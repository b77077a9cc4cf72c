package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
)

const (
	// timeout is a session's: it lives through a restart of the server on a busy machine.
	timeout = 40 * time.Second
	// wait bounds every wait.
	wait = 60 * time.Second
)

// checks runs named checks and speaks to the harness.
type checks struct {
	made, failed int
	stdin        *bufio.Reader

	server, proxy, secure, certs string
}

func newChecks() *checks {
	return &checks{
		stdin:  bufio.NewReader(os.Stdin),
		server: os.Getenv("QUOLL_SERVER"),
		proxy:  os.Getenv("QUOLL_PROXY"),
		secure: os.Getenv("QUOLL_SECURE"),
		certs:  os.Getenv("QUOLL_CERTS"),
	}
}

// failure is what a check panics with.
type failure string

func (c *checks) check(name string, body func()) {
	c.made++
	defer func() {
		if why := recover(); why != nil {
			c.failed++
			fmt.Println("FAIL", name, strings.ReplaceAll(fmt.Sprint(why), "\n", " "))
			debug.PrintStack()
			return
		}
		fmt.Println("ok", name)
	}()
	body()
}

// finish prints the closing line and returns the exit status.
func (c *checks) finish() int {
	fmt.Println("done", c.made)
	if c.failed > 0 {
		return 1
	}
	return 0
}

// control asks the harness to do something and waits until it is done.
func (c *checks) control(verb string) {
	fmt.Println("control", verb)
	answer, err := c.stdin.ReadString('\n')
	none(err)
	equal("the harness's answer", strings.TrimSpace(answer), verb)
}

func equal(what string, got, want any) {
	if !reflect.DeepEqual(got, want) {
		panic(failure(fmt.Sprintf("%s: got %+v, want %+v", what, got, want)))
	}
}

func that(ok bool, what string) {
	if !ok {
		panic(failure(what))
	}
}

func none(err error) {
	if err != nil {
		panic(failure("unexpected error: " + err.Error()))
	}
}

// refused wants exactly this error.
func refused(want, got error) {
	if !errors.Is(got, want) {
		panic(failure(fmt.Sprintf("got error %v, want %v", got, want)))
	}
}

// must is for calls that have a value and no business failing.
func must[T any](value T, err error) T {
	none(err)
	return value
}

// until repeats met until it is.
func until(what string, met func() bool) {
	for deadline := time.Now().Add(wait); !met(); time.Sleep(10 * time.Millisecond) {
		that(time.Now().Before(deadline), "never: "+what)
	}
}

// client is a connection with the states it went through.
type client struct {
	*zk.Conn
	states <-chan zk.Event
}

func (c *checks) connect(addr string, timeout time.Duration, options ...func(*zk.Conn)) *client {
	conn, states, err := zk.Connect([]string{addr}, timeout, zk.WithLogger(log.New(io.Discard, "", 0)))
	none(err)
	for _, o := range options {
		o(conn)
	}
	cl := &client{Conn: conn, states: states}
	cl.await(zk.StateHasSession)
	return cl
}

// connectBy is connect through another dialer, for TLS.
func (c *checks) connectBy(dial func(addr string) (net.Conn, error), addr string) *client {
	dialer := func(_, addr string, _ time.Duration) (net.Conn, error) { return dial(addr) }
	conn, states, err := zk.Connect([]string{addr}, timeout, zk.WithLogger(log.New(io.Discard, "", 0)), zk.WithDialer(dialer))
	none(err)
	cl := &client{Conn: conn, states: states}
	cl.await(zk.StateHasSession)
	return cl
}

func (c *checks) client() *client { return c.connect(c.server, timeout) }

// await waits for a state of the session, dropping others before it.
func (cl *client) await(want zk.State) {
	for limit := time.After(wait); ; {
		select {
		case e, open := <-cl.states:
			that(open, "the events ended")
			if e.State == want && e.Type == zk.EventSession {
				return
			}
		case <-limit:
			panic(failure("no state " + want.String()))
		}
	}
}

// expect waits for the event of a one-shot watch.
func expect(events <-chan zk.Event, kind zk.EventType, path string) {
	select {
	case e := <-events:
		none(e.Err)
		equal("event", fmt.Sprint(e.Type, " ", e.Path), fmt.Sprint(kind, " ", path))
	case <-time.After(wait):
		panic(failure(fmt.Sprint("no event ", kind, " ", path)))
	}
}

// quiet tells that nothing came; a statement about the server only after something later was seen.
func quiet(events <-chan zk.Event) {
	select {
	case e := <-events:
		panic(failure(fmt.Sprintf("an event that should not be: %+v", e)))
	default:
	}
}

var open = zk.WorldACL(zk.PermAll)
