package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"sync/atomic"
	"time"

	original "github.com/go-zookeeper/zk"
	"github.com/quollhq/quoll/client"
	compat "github.com/quollhq/quoll/compat/zk"
	"github.com/quollhq/quoll/recipe/lock"
)

// Round trips are counted by a network on which each takes long.
const (
	roundTrip  = 20 * time.Millisecond
	contenders = 100
)

// late is a connection on which what the server sends arrives a round trip later.
type late struct {
	net.Conn
	arrived chan arrival
	rest    []byte
}

type arrival struct {
	at   time.Time
	data []byte
	err  error
}

func dialLate(network, addr string) (net.Conn, error) {
	nc, err := net.Dial(network, addr)
	if err != nil {
		return nil, err
	}
	l := &late{Conn: nc, arrived: make(chan arrival, 1024)}
	go func() { // until the connection is closed
		for {
			b := make([]byte, 64<<10)
			n, err := nc.Read(b)
			l.arrived <- arrival{time.Now().Add(roundTrip), b[:n], err}
			if err != nil {
				return
			}
		}
	}()
	return l, nil
}

func (l *late) Read(b []byte) (int, error) {
	if len(l.rest) == 0 {
		a := <-l.arrived
		time.Sleep(time.Until(a.at))
		if a.err != nil {
			l.arrived <- a
			return 0, a.err
		}
		l.rest = a.data
	}
	n := copy(b, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// SetReadDeadline does nothing: this network does not fail.
func (l *late) SetReadDeadline(time.Time) error { return nil }

func trips(d time.Duration) float64 { return float64(d) / float64(roundTrip) }

// locks counts round trips of locks.
func locks(ctx context.Context, b *bed) error {
	r := row{name: "lock and unlock, uncontended", unit: "round trips", target: "2"}
	var err error
	if r.original, err = b.originalLock(); err != nil {
		return err
	}
	if r.compat, err = b.compatLock(); err != nil {
		return err
	}
	if r.ours, err = b.ourLock(ctx); err != nil {
		return err
	}
	r.met = r.ours < 2.5
	b.table.add(r)
	return b.handOver(ctx)
}

// pairs are measured, of which the median counts.
const pairs = 15

func timed(lock, unlock func() error) (float64, error) {
	var v []float64
	for range pairs {
		began := time.Now()
		if err := lock(); err != nil {
			return 0, err
		}
		if err := unlock(); err != nil {
			return 0, err
		}
		v = append(v, trips(time.Since(began)))
	}
	return median(v), nil
}

func (b *bed) originalLock() (float64, error) {
	by := func(network, addr string, _ time.Duration) (net.Conn, error) { return dialLate(network, addr) }
	c, _, err := original.Connect([]string{b.addr}, sessionTimeout, original.WithLogger(log.New(quiet.Writer(), "", 0)), original.WithDialer(by))
	if err != nil {
		return 0, err
	}
	defer c.Close()
	l := original.NewLock(c, "/lock-original", original.WorldACL(original.PermAll))
	return timed(l.Lock, l.Unlock)
}

func (b *bed) compatLock() (float64, error) {
	by := func(network, addr string, _ time.Duration) (net.Conn, error) { return dialLate(network, addr) }
	c, _, err := compat.Connect([]string{b.addr}, sessionTimeout, compat.WithLogger(quiet), compat.WithDialer(by))
	if err != nil {
		return 0, err
	}
	defer c.Close()
	l := compat.NewLock(c, "/lock-compat", compat.WorldACL(compat.PermAll))
	return timed(l.Lock, l.Unlock)
}

func lateClient(ctx context.Context, addr string, opts ...client.Option) (*client.Client, error) {
	by := func(_ context.Context, network, addr string) (net.Conn, error) { return dialLate(network, addr) }
	return client.Dial(ctx, addr, append(opts, client.WithSessionTimeout(sessionTimeout), client.WithDialer(by))...)
}

func (b *bed) ourLock(ctx context.Context) (float64, error) {
	c, err := lateClient(ctx, b.addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	m, err := lock.New(c, "/lock-ours")
	if err != nil {
		return 0, err
	}
	var h *lock.Held
	return timed(
		func() (err error) { h, err = m.Lock(ctx); return err },
		func() error { return h.Unlock(ctx) })
}

// handOver lets many wait for one lock, each with a session of its own, and measures from each unlock to the next one's
// lock. It counts what they are told meanwhile: who waits, of the one before it, and who holds, of its own node.
func (b *bed) handOver(ctx context.Context) error {
	const path = "/lock-contended"
	var told atomic.Int64
	count := client.WithHooks(client.Hooks{Event: func(ev client.Event) {
		if ev.Type != client.EventSession {
			told.Add(1)
		}
	}})
	type holding struct {
		h   *lock.Held
		at  time.Time
		err error
	}
	got := make(chan holding)
	var queue []*client.Client
	defer func() {
		for _, c := range queue {
			_ = c.Close() // what was measured is known
		}
	}()
	for range contenders {
		c, err := lateClient(ctx, b.addr, count)
		if err != nil {
			return err
		}
		queue = append(queue, c)
		m, err := lock.New(c, path)
		if err != nil {
			return err
		}
		go func() {
			h, err := m.Lock(ctx)
			got <- holding{h, time.Now(), err}
		}()
	}
	first := <-got
	if first.err != nil {
		return first.err
	}
	m, err := lock.New(queue[0], path)
	if err != nil {
		return err
	}
	for waiting := 0; waiting < contenders; time.Sleep(50 * time.Millisecond) {
		list, err := m.Contenders(ctx)
		if err != nil {
			return err
		}
		waiting = len(list)
	}
	time.Sleep(5 * roundTrip) // until the last one has set its watch
	told.Store(0)
	var v []float64
	for h := first.h; len(v) < contenders-1; {
		began := time.Now()
		released := make(chan error, 1)
		go func() { released <- h.Unlock(ctx) }()
		next := <-got
		if next.err != nil {
			return next.err
		}
		if err := <-released; err != nil {
			return err
		}
		v = append(v, trips(next.at.Sub(began)))
		h = next.h
	}
	mid := median(v)
	b.table.add(row{name: fmt.Sprintf("hand-over among %d contenders", contenders), unit: "round trips",
		original: none, compat: none, ours: mid, target: "<= 2", met: mid < 2.5})
	events := float64(told.Load()) / float64(len(v))
	b.table.add(row{name: fmt.Sprintf("hand-over among %d contenders", contenders), unit: "watches that fire, of the waiter and the holder",
		original: none, compat: none, ours: events, target: "<= 2", met: events < 2.05})
	return nil
}
