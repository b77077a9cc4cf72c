package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

const (
	killRounds     = 20
	pauseRounds    = 3
	handOverRounds = 10
	// probed is what is written to see whether there is a leader.
	probed = "/failover"
	// settleTime is how long an ensemble is left alone before something happens to it.
	settleTime = 500 * time.Millisecond
	// longFailover is more than any failover takes.
	longFailover = time.Minute
)

// failover measures how long nobody can write when a leader dies, stands still, or is told to stop.
func failover(ctx context.Context, c *comparison) error {
	killed := figure{Name: "kill -9 of the leader, median of 20", Unit: "ms to the next write of a new connection", Target: atMost(60)}
	worst := figure{Name: "kill -9 of the leader, worst of 20", Unit: "ms to the next write of a new connection", Target: atMost(150)}
	paused := figure{Name: "SIGSTOP of the leader, worst of 3", Unit: "ms to the next write of a new connection", Target: atMost(10_000)}
	handed := figure{Name: "SIGTERM of the leader, median of 10", Unit: "ms between two writes of a follower's client", Target: atMost(20)}
	handedWorst := figure{Name: "SIGTERM of the leader, worst of 10", Unit: "ms between two writes of a follower's client"}
	lost := figure{Name: "SIGTERM of the leader, 10 times", Unit: "writes of followers' clients without an answer", Target: atMost(0)}
	err := c.each(ctx, func(s subject) (err error) {
		t, err := c.freshTrio(ctx, s, nil)
		defer func() { err = errors.Join(err, c.finishTrio(t)) }()
		if err != nil {
			return err
		}
		if err := prepareProbe(ctx, t.members[0]); err != nil {
			return err
		}
		kills, err := t.rounds(ctx, killRounds, t.kill)
		if err != nil {
			return err
		}
		pauses, err := t.rounds(ctx, pauseRounds, t.pause)
		if err != nil {
			return err
		}
		unanswered := 0.0
		hands, err := t.rounds(ctx, handOverRounds, func(ctx context.Context, leader int) (time.Duration, error) {
			gap, n, err := t.terminate(ctx, leader)
			unanswered += float64(n)
			return gap, err
		})
		if err != nil {
			return err
		}
		killed.set(s.name(), median(kills))
		worst.set(s.name(), slices.Max(kills))
		paused.set(s.name(), slices.Max(pauses))
		handed.set(s.name(), median(hands))
		handedWorst.set(s.name(), slices.Max(hands))
		lost.set(s.name(), unanswered)
		c.say("%-7s killed %.0f ms, paused %.0f ms, told to stop %.0f ms with %.0f writes lost", s.name(), kills, pauses, hands, unanswered)
		return nil
	})
	c.show(killed, worst, paused, handed, handedWorst, lost)
	return err
}

// rounds does something to the leader and brings the ensemble back, again and again; the values are in milliseconds.
func (t *trio) rounds(ctx context.Context, n int, round func(context.Context, int) (time.Duration, error)) ([]float64, error) {
	var all []float64
	for range n {
		if err := t.ready(ctx); err != nil {
			return nil, err
		}
		leader, err := t.leader(ctx)
		if err != nil {
			return nil, err
		}
		time.Sleep(settleTime)
		took, err := round(ctx, leader)
		if err != nil {
			return nil, err
		}
		all = append(all, float64(took.Microseconds())/1e3)
	}
	return all, nil
}

// kill ends the leader at once.
func (t *trio) kill(ctx context.Context, leader int) (time.Duration, error) {
	began := time.Now()
	if err := t.signal(leader, syscall.SIGKILL); err != nil {
		return 0, err
	}
	at, err := firstWrite(ctx, t.except(leader))
	return at.Sub(began), errors.Join(err, t.relaunch(leader))
}

// pause lets the leader stand still, with all its connections open.
func (t *trio) pause(ctx context.Context, leader int) (time.Duration, error) {
	began := time.Now()
	if err := t.signal(leader, syscall.SIGSTOP); err != nil {
		return 0, err
	}
	at, err := firstWrite(ctx, t.except(leader))
	return at.Sub(began), errors.Join(err, t.signal(leader, syscall.SIGCONT))
}

// terminate tells the leader to end, while a client of each of the others writes: the longest time in which one of them
// had no answer, and how many writes never had one.
func (t *trio) terminate(ctx context.Context, leader int) (gap time.Duration, lost int, err error) {
	var stop atomic.Bool
	type outcome struct {
		gap  time.Duration
		lost int
		err  error
	}
	rest := t.except(leader)
	outcomes := make(chan outcome)
	for _, p := range rest {
		go func() {
			var o outcome
			o.gap, o.lost, o.err = writeOn(ctx, p, &stop)
			outcomes <- o
		}()
	}
	time.Sleep(200 * time.Millisecond) // they write
	err = t.signal(leader, syscall.SIGTERM)
	time.Sleep(200 * time.Millisecond)
	stop.Store(true)
	for range rest {
		o := <-outcomes
		gap, lost, err = max(gap, o.gap), lost+o.lost, errors.Join(err, o.err)
	}
	return gap, lost, errors.Join(err, t.relaunch(leader))
}

// writeOn writes one value after the other to a member until stop, with a new connection after each that breaks: the
// longest time between two answers, and how many writes had none.
func writeOn(ctx context.Context, p *process, stop *atomic.Bool) (gap time.Duration, lost int, err error) {
	last := time.Now()
	for deadline := last.Add(longFailover); ; {
		s, err := openSession(ctx, p.addr)
		for err == nil {
			done := stop.Load() // the last write begins after that
			if err = s.write(probed); err != nil {
				lost++
				s.nc.Close()
				break
			}
			gap, last = max(gap, time.Since(last)), time.Now()
			if done {
				s.close()
				return gap, lost, nil
			}
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return gap, lost, fmt.Errorf("no write for %v: %w", time.Since(last), errors.Join(err, ctx.Err()))
		}
		time.Sleep(time.Millisecond)
	}
}

// prepareProbe creates the znode that is written.
func prepareProbe(ctx context.Context, p *process) error {
	s, err := openSession(ctx, p.addr)
	if err != nil {
		return err
	}
	defer s.close()
	return s.create(probed)
}

// firstWrite is when a write of a new connection to one of the servers was acknowledged. They are asked side by side,
// anew when one refuses or takes its time.
func firstWrite(ctx context.Context, servers []*process) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, longFailover)
	defer cancel()
	const parallel, patience = 64, 10 * time.Millisecond
	type attempt struct {
		of *process
		answer
	}
	answers := make(chan attempt, parallel*len(servers))
	waiting, begun := map[*process]int{}, map[*process]time.Time{}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		for _, p := range servers {
			if waiting[p] == 0 || waiting[p] < parallel && time.Since(begun[p]) > patience {
				waiting[p]++
				begun[p] = time.Now()
				go func() { answers <- attempt{p, writeOnce(ctx, p.addr)} }()
			}
		}
		select {
		case a := <-answers:
			if waiting[a.of]--; a.err == nil {
				return a.at, nil
			}
			<-tick.C
		case <-tick.C:
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("nobody took a write: %w", ctx.Err())
		}
	}
}

// writeOnce writes by a connection of its own.
func writeOnce(ctx context.Context, addr string) answer {
	s, err := openSession(ctx, addr)
	if err != nil {
		return answer{err: err}
	}
	stop := context.AfterFunc(ctx, func() { s.nc.Close() })
	defer stop()
	defer s.nc.Close()
	if err := s.write(probed); err != nil {
		return answer{err: err}
	}
	return answer{at: time.Now()}
}

// write sets the data of a znode.
func (s *session) write(path string) error {
	_, err := s.call(proto.OpSetData, jute.AppendInt(jute.AppendBuffer(jute.AppendString(nil, path), make([]byte, 100)), -1))
	return err
}

// create creates a znode.
func (s *session) create(path string) error {
	body := jute.AppendBuffer(jute.AppendString(nil, path), nil)
	_, err := s.call(proto.OpCreate, jute.AppendInt(append(body, proto.AppendACLs(nil, proto.OpenACL())...), 0))
	return err
}
