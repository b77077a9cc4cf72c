package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/server"
	"github.com/quollhq/quoll/test/harness"
)

func TestStartAgainOnTheSameDirectory(t *testing.T) {
	dir := t.TempDir()
	for i := range 4 {
		r := newServer(t, dir, nil)
		if err := r.Start(context.Background()); err != nil {
			t.Fatal(err)
		}
		c := r.dial(t)
		for j := range i {
			if _, _, err := c.Get(within(t), fmt.Sprint("/run-", j)); err != nil {
				t.Errorf("start %d, what start %d wrote: %v", i, j, err)
			}
		}
		if _, err := c.Create(within(t), fmt.Sprint("/run-", i), nil); err != nil {
			t.Fatal(err)
		}
		c.Detach()
		r.Close()
		r.Close() // does nothing
		if err := r.Start(context.Background()); !errors.Is(err, server.ErrStarted) {
			t.Errorf("a second start: %v", err)
		}
	}
}

// TestAcknowledgedIsOnDisk closes a server under load and looks for every
// write that was acknowledged.
func TestAcknowledgedIsOnDisk(t *testing.T) {
	dir := t.TempDir()
	r := newServer(t, dir, nil)
	if err := r.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	const writers = 8
	var wg sync.WaitGroup
	var done [writers]int
	clients := make([]*client.Client, writers)
	for i := range clients {
		clients[i] = r.dial(t, client.WithFailFast())
	}
	enough := make(chan struct{})
	var once sync.Once
	for i, c := range clients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				if _, err := c.Create(context.Background(), fmt.Sprintf("/w%d-%d", i, done[i]), nil); err != nil {
					return
				}
				if done[i]++; done[i] == 200 {
					once.Do(func() { close(enough) })
				}
			}
		}()
	}
	<-enough
	r.Close()
	wg.Wait()
	for _, c := range clients {
		c.Detach()
	}
	again := start(t, dir, nil)
	c := again.dial(t)
	names, err := c.ChildNames(within(t), "/")
	if err != nil {
		t.Fatal(err)
	}
	have := make(map[string]bool)
	for _, n := range names {
		have[n] = true
	}
	for i, n := range done {
		for j := range n {
			if !have[fmt.Sprintf("w%d-%d", i, j)] {
				t.Errorf("writer %d: write %d of %d was acknowledged and is gone", i, j, n)
			}
		}
	}
}

// TestCloseDoesNotWaitForClients has idle, busy, silent and stuck clients.
func TestCloseDoesNotWaitForClients(t *testing.T) {
	r := newServer(t, t.TempDir(), map[string]string{"maxClientCnxns": "0"})
	if err := r.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var clients []*client.Client
	for i := range 100 {
		c := r.dial(t, client.WithFailFast())
		clients = append(clients, c)
		if i%5 != 0 {
			continue
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				if _, err := c.Create(context.Background(), "/busy-", make([]byte, 1000), client.PersistentSequential); err != nil {
					return
				}
			}
		}()
	}
	for range 20 {
		nc, err := net.Dial("tcp", r.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
	}
	begin := time.Now()
	r.Close()
	// Far more than the second it may take, for machines that are busy.
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	wg.Wait()
	for _, c := range clients {
		c.Detach()
	}
	if !strings.Contains(r.log.String(), "stopped") {
		t.Errorf("log:\n%s", r.log)
	}
}

// TestFailedStarts leave nothing running, give everything back and say why.
func TestFailedStarts(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	occupied := t.TempDir()
	file := filepath.Join(occupied, "version-2")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	secure := harness.NewCertificates(t).Keys()
	secure["secureClientPort"], secure["secureClientPortAddress"] = port, "127.0.0.1"
	for name, c := range map[string]struct {
		settings map[string]string
		says     []string
	}{
		"port in use":   {map[string]string{"clientPort": port}, []string{port, "clientPort", "in use", "stop that one, or change clientPort"}},
		"admin port":    {map[string]string{"admin.enableServer": "true", "admin.serverAddress": "127.0.0.1", "admin.serverPort": port}, []string{port, "in use"}},
		"no directory":  {map[string]string{"dataDir": occupied}, []string{occupied, "is a file"}},
		"key store":     {map[string]string{"secureClientPort": "0", "ssl.keyStore.location": file + ".pem"}, []string{"TLS", file + ".pem"}},
		"second socket": {secure, []string{port, "secureClientPort", "in use"}},
	} {
		t.Run(name, func(t *testing.T) {
			before := ours()
			dir := t.TempDir()
			r := newServer(t, dir, c.settings)
			err := r.Run(context.Background())
			if err == nil {
				t.Fatal("it ran")
			}
			for _, word := range c.says {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("error %q does not say %q", err, word)
				}
			}
			await(t, "goroutines to end", func() bool { return ours() <= before })
			if r.Addr() != nil {
				if nc, err := net.Dial("tcp", r.Addr().String()); err == nil {
					nc.Close()
					t.Error("a socket is still open")
				}
			}
			start(t, dir, nil).dial(t) // the directory is free again
		})
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r := newServer(t, t.TempDir(), nil)
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	await(t, "the server to serve", func() bool { return strings.Contains(r.log.String(), "ready") })
	r.dial(t)
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestSessionsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	r := newServer(t, dir, nil)
	if err := r.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	c := r.dial(t)
	if _, err := c.Create(within(t), "/e", nil, client.Ephemeral); err != nil {
		t.Fatal(err)
	}
	id, password := c.Session().ID(), c.Session().Password()
	c.Detach()
	r.Close()
	again := start(t, dir, nil)
	d := again.dial(t, client.WithSession(id, password))
	if d.Session().ID() != id {
		t.Errorf("session 0x%x, want 0x%x", d.Session().ID(), id)
	}
	if _, there, err := d.Exists(within(t), "/e"); err != nil || !there {
		t.Errorf("its ephemeral: %v, %v", there, err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, there, err := again.dial(t).Exists(within(t), "/e"); err != nil || there {
		t.Errorf("after its session was closed: %v, %v", there, err)
	}
}

// TestConnectionLimits fills each port: they count by themselves.
func TestConnectionLimits(t *testing.T) {
	certs := harness.NewCertificates(t)
	r := secured(t, certs, map[string]string{"maxClientCnxns": "2"})
	for range 2 {
		r.dial(t)
		dial(t, r.SecureAddr().String(), client.WithTLS(certs.ClientTLS(t, true)))
	}
	for _, addr := range []net.Addr{r.Addr(), r.SecureAddr()} {
		nc, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(patience))
		if n, err := nc.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a third connection: %d, %v", n, err)
		}
	}
	await(t, "the log to say why", func() bool { return strings.Contains(r.log.String(), "maxClientCnxns") })
}

// TestGreatestRequests starts with the greatest jute.maxbuffer that Apache's
// server takes, which is more than a record on disk may have. What it lets in is
// read again without it.
func TestGreatestRequests(t *testing.T) {
	dir := t.TempDir()
	r := newServer(t, dir, map[string]string{"jute.maxbuffer": "2147483647"})
	if err := r.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(r.log.String(), "jute.maxbuffer is above 1072693248; 1072693248 is used") {
		t.Errorf("no word of the limit in the log:\n%s", r.log)
	}
	data := bytes.Repeat([]byte("0123456789abcdef"), 128<<10)
	c := r.dial(t, client.WithMaxRequest(4<<20))
	if _, err := c.Create(within(t), "/long", data); err != nil {
		t.Fatal(err)
	}
	c.Detach()
	r.Close()
	again := start(t, dir, nil)
	c = again.dial(t, client.WithMaxRequest(4<<20))
	if got, _, err := c.Get(within(t), "/long"); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := c.Set(within(t), "/long", data, client.AnyVersion); !errors.Is(err, client.ErrConnectionLoss) {
		t.Errorf("a request of %d bytes without it: %v", len(data), err)
	}
}

// A server that is asked to end while it loads does so, and has not failed.
func TestStoppedWhileItLoads(t *testing.T) {
	dir := t.TempDir()
	first := newServer(t, dir, nil)
	if err := first.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	first.Close() // there is a snapshot to load
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := newServer(t, dir, nil)
	if err := r.Run(ctx); err != nil {
		t.Errorf("it failed: %v", err)
	}
	if text := r.log.String(); !strings.Contains(text, "stopping before anybody was served") || strings.Contains(text, "ERROR") {
		t.Errorf("it says\n%s", text)
	}
}
