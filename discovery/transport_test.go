package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quollhq/quoll/balance"
	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/discovery"
	"github.com/quollhq/quoll/internal/servertest"
)

// web runs an HTTP server that says its name, and the request's body.
func web(t *testing.T, name string, status int) (address string, port int) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, name, r.URL.Path, " ")
		_, _ = io.Copy(w, r.Body) // what is missing, the test misses
	}))
	t.Cleanup(s.Close)
	return hostPort(t, s.Listener.Addr().String())
}

func hostPort(t *testing.T, addr string) (string, int) {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	must(t, err)
	n, err := strconv.Atoi(port)
	must(t, err)
	return host, n
}

// closedPort is one that nobody listens on.
func closedPort(t *testing.T) (string, int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	return hostPort(t, l.Addr().String())
}

func TestTransport(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	d := discovery.New(servertest.Dial(t, server))
	add := func(id, host string, port int) *discovery.Registration {
		return register(t, d, discovery.Instance{Service: "orders", ID: id, Address: host, Port: port})
	}
	host, port := web(t, "a", http.StatusOK)
	a := add("a", host, port)
	host, port = closedPort(t)
	add("b", host, port)
	pool := d.Pool(balance.RoundRobin)
	defer pool.Close()
	hc := &http.Client{Transport: &discovery.Transport{Pool: pool}}
	for range 4 { // every other time b is tried first, even by a POST: it was not sent
		resp, err := hc.Post("http://orders/path", "text/plain", strings.NewReader("body"))
		must(t, err)
		if got := read(t, resp); got != "a/path body" {
			t.Fatalf("%q", got)
		}
	}
	_, err := hc.Get("http://nobody/")
	wantIs(t, err, balance.ErrNone)
	_, err = hc.Get("http://bad..name/")
	if err == nil {
		t.Error("a name that is none")
	}
	must(t, a.Close(ctx))
	following := follow(t, d, "orders")
	await(t, following, ids("b"))
	for { // the pool follows by itself
		if _, err = hc.Get("http://orders/"); err != nil {
			break
		}
	}
	var op *net.OpError
	if !errors.As(err, &op) {
		t.Errorf("%v", err)
	}
	pool.Close()
	_, err = hc.Get("http://orders/")
	wantIs(t, err, discovery.ErrClosed)
}

func read(t *testing.T, resp *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	must(t, resp.Body.Close())
	return string(body)
}

// Answers of 500 eject an instance, and a key leads to one instance.
func TestTransportEjects(t *testing.T) {
	server := servertest.Start(t)
	d := discovery.New(servertest.Dial(t, server))
	for id, status := range map[string]int{"good": http.StatusOK, "bad": http.StatusInternalServerError} {
		host, port := web(t, id, status)
		register(t, d, discovery.Instance{Service: "orders", ID: id, Address: host, Port: port})
	}
	pool := d.Pool(balance.RoundRobin, balance.WithOutlier(balance.Outlier{}))
	defer pool.Close()
	hc := &http.Client{Transport: &discovery.Transport{Pool: pool}}
	var statuses []int
	for range 20 {
		resp, err := hc.Get("http://orders/")
		must(t, err)
		read(t, resp)
		statuses = append(statuses, resp.StatusCode)
	}
	bad := 0
	for _, status := range statuses {
		if status != http.StatusOK {
			bad++
		}
	}
	if bad != 5 {
		t.Errorf("%v", statuses)
	}

	keyed := d.Pool(balance.Rendezvous)
	defer keyed.Close()
	hc.Transport = &discovery.Transport{Pool: keyed, Route: func(r *http.Request) (string, string) { return "orders", r.URL.Path }}
	answers := make(map[string]bool)
	for range 10 {
		resp, err := hc.Get("http://anything/user-1")
		must(t, err)
		answers[read(t, resp)] = true
	}
	if len(answers) != 1 {
		t.Errorf("%v", answers)
	}
}

// Names of services that there are not do not use up the room for others.
func TestPoolMakesRoom(t *testing.T) {
	ctx := servertest.Context(t)
	d := discovery.New(servertest.Dial(t, servertest.Start(t)))
	reg, err := d.Register(ctx, discovery.Instance{Service: "orders", ID: "a", Address: "10.0.0.1", Port: 80})
	must(t, err)
	pool := d.Pool(balance.Random)
	defer pool.Close()
	for i := range 1100 {
		if _, err := pool.Pick(ctx, fmt.Sprintf("made-up-%d", i), ""); !errors.Is(err, balance.ErrNone) {
			t.Fatalf("service %d: %v", i, err)
		}
	}
	picked, err := pool.Pick(ctx, "orders", "")
	must(t, err)
	picked.Done(nil)
	must(t, reg.Close(ctx))
}

// Who gives up the first call of a service does not end it for the others.
func TestFirstCallerGivesUp(t *testing.T) {
	ctx := servertest.Context(t)
	p := servertest.NewProxy(t, servertest.Start(t))
	c := servertest.Dial(t, p.Addr())
	d := discovery.New(c)
	reg, err := d.Register(ctx, discovery.Instance{Service: "orders", ID: "a", Address: "10.0.0.1", Port: 80})
	must(t, err)
	pool := d.Pool(balance.Random)
	defer pool.Close()
	p.Cut()
	first, giveUp := context.WithCancel(ctx)
	ended := make(chan error, 10)
	go func() {
		_, err := pool.Pick(first, "orders", "")
		ended <- err
	}()
	for range 9 {
		go func() {
			picked, err := pool.Pick(ctx, "orders", "")
			if err == nil {
				picked.Done(nil)
			}
			ended <- err
		}()
	}
	time.Sleep(10 * time.Millisecond) // most of them wait by now; the test is right without it
	giveUp()
	p.Heal()
	failures := 0
	for range 10 {
		if err := <-ended; err != nil {
			failures++
			wantIs(t, err, context.Canceled)
		}
	}
	if failures > 1 {
		t.Errorf("%d calls have failed", failures)
	}
	must(t, reg.Close(ctx))
}

// A pool is closed with a call under way, and with its client.
func TestPoolCloses(t *testing.T) {
	ctx := servertest.Context(t)
	c, err := client.New("127.0.0.1:1")
	must(t, err)
	pool := discovery.New(c).Pool(balance.Random)
	failed := make(chan error)
	go func() {
		_, err := pool.Pick(ctx, "orders", "")
		failed <- err
	}()
	must(t, c.Close())
	wantIs(t, <-failed, client.ErrClosed)
	pool.Close()

	c, err = client.New("127.0.0.1:1")
	must(t, err)
	defer c.Close()
	pool = discovery.New(c).Pool(balance.Random)
	go func() {
		_, err := pool.Pick(ctx, "orders", "")
		failed <- err
	}()
	pool.Close()
	if err := <-failed; !errors.Is(err, context.Canceled) && !errors.Is(err, discovery.ErrClosed) {
		t.Errorf("%v", err)
	}
}
