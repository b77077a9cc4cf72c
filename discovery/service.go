package discovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/quollhq/quoll/client"
)

// Snapshot is what is known of the instances of a service. Its contents are
// shared: they must not be changed.
type Snapshot struct {
	Service string
	// Instances are sorted by id. Those that drain are among them.
	Instances []Instance
	// Stale says that no server can be reached: it is the last that was known.
	Stale bool
	// Held is the number of instances that are missing and kept, see
	// WithPanicThreshold.
	Held int
	// Problems tell of nodes that are no instances, or cannot be read: each is a
	// *NodeError.
	Problems []error
}

// Ready are the instances that want work: those that do not drain.
func (s Snapshot) Ready() []Instance {
	if !slices.ContainsFunc(s.Instances, func(in Instance) bool { return in.Draining }) {
		return s.Instances
	}
	return slices.DeleteFunc(slices.Clone(s.Instances), func(in Instance) bool { return in.Draining })
}

// NodeError tells what is wrong with a node among the instances of a service.
type NodeError struct {
	Path string
	Err  error
}

// Error names the path.
func (e *NodeError) Error() string { return e.Path + ": " + e.Err.Error() }

// Unwrap returns what is wrong.
func (e *NodeError) Unwrap() error { return e.Err }

// snapshot makes a Snapshot of nodes.
func (d *Discovery) snapshot(service string, nodes *children) Snapshot {
	s := Snapshot{Service: service, Instances: make([]Instance, 0, len(nodes.have))}
	for name, node := range nodes.have {
		path := client.Join(nodes.dir, name)
		in, err := Instance{}, node.err
		if err == nil {
			in, err = d.layout.Decode(service, path, node.data)
		}
		if err != nil {
			s.Problems = append(s.Problems, &NodeError{path, err})
			continue
		}
		in.Path, in.Session = path, node.stat.EphemeralOwner
		if in.Registered.IsZero() {
			in.Registered = node.stat.Created()
		}
		s.Instances = append(s.Instances, in)
	}
	s.sort()
	return s
}

func (s *Snapshot) sort() {
	slices.SortFunc(s.Instances, func(a, b Instance) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(s.Problems, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
}

// Service follows the instances of a service.
type Service struct {
	d     *Discovery
	name  string
	nodes children
	stop  context.CancelFunc
	ended chan struct{}

	hold held // of the goroutine that follows

	mu      sync.Mutex
	now     Snapshot
	known   bool          // now is more than a zero value
	err     error         // why it is followed no more
	changed chan struct{} // closed at the next change of the above
}

// ErrClosed is what ends the ranges over the snapshots of a Service that was
// closed.
var ErrClosed = errors.New("the service is followed no more")

// Follow follows the instances of a service, whether or not there is one, until
// Close. It returns when they have been read for the first time.
func (d *Discovery) Follow(ctx context.Context, service string) (*Service, error) {
	dir, err := d.Dir(service)
	if err != nil {
		return nil, err
	}
	following, stop := context.WithCancel(client.Unbound(context.WithoutCancel(ctx)))
	s := &Service{
		d: d, name: service, nodes: children{c: d.c, dir: dir}, stop: stop,
		ended: make(chan struct{}), changed: make(chan struct{}),
	}
	go s.follow(following)
	for _, err := range s.Snapshots(ctx) {
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("discovery: following %s: %w", dir, err)
		}
		break
	}
	return s, nil
}

// Name is the service's name.
func (s *Service) Name() string { return s.name }

// Close ends following.
func (s *Service) Close() {
	s.stop()
	<-s.ended
}

// Snapshot is what is known at present.
func (s *Service) Snapshot() Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Snapshots ranges over what is known: at present, and after each change. Of
// changes that come faster than they are taken, the last one counts. The last
// pair holds the error that ended it, that of ctx included.
func (s *Service) Snapshots(ctx context.Context) iter.Seq2[Snapshot, error] {
	return func(yield func(Snapshot, error) bool) {
		for {
			s.mu.Lock()
			now, known, err, changed := s.now, s.known, s.err, s.changed
			s.mu.Unlock()
			if err != nil {
				yield(now, err)
				return
			}
			if known && !yield(now, nil) {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				yield(now, ctx.Err())
				return
			}
		}
	}
}

// change replaces what is known and tells those who range over it.
func (s *Service) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

// follow keeps the snapshot up to date until ctx ends or the client does.
func (s *Service) follow(ctx context.Context) {
	defer close(s.ended)
	events := s.d.c.Events()
	var watching sync.WaitGroup
	watching.Go(func() { s.watchState(ctx, events) })
	defer watching.Wait()
	defer events.Close()
	defer s.hold.stop()
	for {
		err := s.watch(ctx)
		if client.Transient(err) {
			err = s.d.c.WaitConnected(ctx)
		}
		if ctx.Err() != nil {
			err = ErrClosed
		}
		if err != nil {
			s.change(func() { s.err, s.now.Stale = err, true })
			return
		}
	}
}

// watch reads all instances, and then what changes, for one session.
func (s *Service) watch(ctx context.Context) error {
	w, err := s.d.c.AddWatch(ctx, s.nodes.dir, client.WatchTree)
	if err != nil {
		return err
	}
	defer w.Release()
	if err := s.reload(ctx); err != nil {
		return err
	}
	for {
		select {
		case <-w.Ready():
			err = s.take(ctx, w)
		case <-s.hold.over():
			s.hold.end()
			s.publish(nil)
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// take takes the events that have come and reads what they tell of.
func (s *Service) take(ctx context.Context, w *client.Watch) error {
	ev, err := w.Next(ctx)
	if err != nil {
		return err
	}
	touched, reset := make(map[string]bool), false
	for ok := true; ok; ev, ok = w.TryNext() {
		if ev.Type == client.EventReset {
			reset = true
		} else if name, mine := s.nodes.nameOf(ev.Path); mine {
			touched[name] = true
		}
	}
	if reset {
		return s.reload(ctx)
	}
	names := make([]string, 0, len(touched))
	for name := range touched {
		names = append(names, name)
	}
	if err := s.nodes.read(ctx, names); err != nil {
		return err
	}
	s.publish(nil)
	return nil
}

// reload reads all, at the beginning and when changes may have been missed.
func (s *Service) reload(ctx context.Context) error {
	before := s.Snapshot().Instances
	if err := s.nodes.load(ctx); err != nil {
		return err
	}
	s.publish(before)
	return nil
}

// watchState marks the snapshot as stale when there is no server, whatever the
// other goroutine is waiting for. Only what is read afterwards is not stale again.
func (s *Service) watchState(ctx context.Context, events *client.Events) {
	for {
		if _, err := events.Next(ctx); err != nil {
			return
		}
		s.mu.Lock()
		away := !s.now.Stale && s.away()
		s.mu.Unlock()
		if away {
			s.change(func() { s.now.Stale = s.now.Stale || s.away() })
		}
	}
}

func (s *Service) away() bool { return !s.d.c.State().Serving() }

// publish makes a snapshot of the nodes. Those known before a time without
// servers are before; it is nil if there was none.
func (s *Service) publish(before []Instance) {
	now := s.d.snapshot(s.name, &s.nodes)
	s.report(now.Problems)
	at := time.Now()
	if before != nil {
		s.hold.alert(before, at.Add(s.expiry()))
	}
	s.hold.begin(now.Instances, at, s.d.threshold, s.d.grace)
	s.hold.keep(&now, s.d.threshold)
	s.change(func() {
		now.Stale = s.away()
		s.now, s.known = now, true
	})
}

// expiry is how long after servers were away sessions of others may expire, if
// theirs have the timeout of this client's.
func (s *Service) expiry() time.Duration {
	if session := s.d.c.Session(); session != nil {
		return session.Timeout()
	}
	return 0
}

// report logs the problems that are new.
func (s *Service) report(problems []error) {
	old := s.Snapshot().Problems
	for _, problem := range problems {
		same := func(e error) bool { return e.Error() == problem.Error() }
		if !slices.ContainsFunc(old, same) {
			s.d.log.Warn("a node is no instance", "service", s.name, "error", problem)
		}
	}
}
