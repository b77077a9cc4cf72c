package render

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/configcenter"
	"github.com/quollhq/quoll/discovery"
)

// Source is where templates get their values from, and what follows them.
type Source struct {
	Client    *client.Client
	Discovery *discovery.Discovery
	Center    *configcenter.Center
	Keys      *configcenter.Keyring
	// Advise, if it is not nil, adds to an error of the configuration what can be
	// done about it.
	Advise func(error) error
	// Refused, if it is not nil, is told why what is published is not in use; what was
	// there before stands.
	Refused func(error)

	changed chan struct{} // holds a token when a value has changed

	mu     sync.Mutex
	values map[string]*value // by kind and name
}

// value is something that a template has asked for.
type value struct {
	used  bool // since the last sweep
	stop  context.CancelFunc
	ended chan struct{}
	first chan struct{} // closed when it is known, or cannot be

	mu  sync.Mutex
	now any
	err error
}

// get returns a value, which is followed from now on: follow calls tell with each
// state of it until its context ends.
func (s *Source) get(ctx context.Context, name string, follow func(ctx context.Context, tell func(any, error)) error) (any, error) {
	s.mu.Lock()
	v, known := s.values[name]
	if !known {
		running, stop := context.WithCancel(context.WithoutCancel(ctx))
		v = &value{stop: stop, ended: make(chan struct{}), first: make(chan struct{})}
		s.values[name] = v
		go s.follow(running, v, follow)
	}
	v.used = true
	s.mu.Unlock()
	select {
	case <-v.first:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now, v.err
}

func (s *Source) follow(ctx context.Context, v *value, follow func(ctx context.Context, tell func(any, error)) error) {
	defer close(v.ended)
	once := sync.OnceFunc(func() { close(v.first) })
	defer once()
	tell := func(now any, err error) {
		v.mu.Lock()
		same := err != nil && v.err != nil && err.Error() == v.err.Error()
		v.now, v.err = now, err
		v.mu.Unlock()
		once()
		if same {
			return
		}
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}
	for {
		err := follow(ctx, tell)
		if err == nil || ctx.Err() != nil {
			return
		}
		tell(nil, err)
		select {
		case <-time.After(retryTime):
		case <-ctx.Done():
			return
		}
	}
}

// retryTime is the time after which what could not be followed is tried again.
const retryTime = time.Second

// sweep forgets what no template has asked for since the last sweep.
func (s *Source) sweep(all bool) {
	s.mu.Lock()
	var old []*value
	for name, v := range s.values {
		if !v.used || all {
			old = append(old, v)
			delete(s.values, name)
		}
		v.used = false
	}
	s.mu.Unlock()
	for _, v := range old {
		v.stop()
		<-v.ended
	}
}

// node follows a node by a read that is made again after each event.
func (s *Source) node(ctx context.Context, name, path string, read func(ctx context.Context) (any, error)) (any, error) {
	return s.get(ctx, name, func(ctx context.Context, tell func(any, error)) error {
		for {
			err := s.watch(ctx, path, read, tell)
			if !client.Transient(err) {
				return err
			}
			if err := s.Client.WaitConnected(ctx); err != nil {
				return err
			}
		}
	})
}

func (s *Source) watch(ctx context.Context, path string, read func(ctx context.Context) (any, error), tell func(any, error)) error {
	w, err := s.Client.AddWatch(ctx, path, client.WatchNode)
	if err != nil {
		return err
	}
	defer w.Release()
	for {
		now, err := read(ctx)
		if client.Transient(err) || ctx.Err() != nil {
			return err
		}
		tell(now, err)
		if _, err := w.Next(ctx); err != nil {
			return err
		}
	}
}

// key is the data of a node.
func (s *Source) key(ctx context.Context, path string) (string, error) {
	v, err := s.node(ctx, "key "+path, path, func(ctx context.Context) (any, error) {
		data, _, err := s.Client.Get(ctx, path)
		return string(data), err
	})
	if err != nil {
		return "", err
	}
	return v.(string), nil
}

// list are the names of a node's children, sorted.
func (s *Source) list(ctx context.Context, path string) ([]string, error) {
	v, err := s.node(ctx, "ls "+path, path, func(ctx context.Context) (any, error) {
		names, err := s.Client.ChildNames(ctx, path)
		slices.Sort(names)
		return names, err
	})
	if err != nil {
		return nil, err
	}
	return v.([]string), nil
}

// service are the instances of a service that want work.
func (s *Source) service(ctx context.Context, name string) ([]discovery.Instance, error) {
	v, err := s.get(ctx, "service "+name, func(ctx context.Context, tell func(any, error)) error {
		following, err := s.Discovery.Follow(ctx, name)
		if err != nil {
			return err
		}
		defer following.Close()
		for now, err := range following.Snapshots(ctx) {
			if err != nil {
				return err
			}
			tell(now.Ready(), nil)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return v.([]discovery.Instance), nil
}

// config are the properties that an application sees in some profiles.
func (s *Source) config(ctx context.Context, app string, profiles ...string) (map[string]string, error) {
	v, err := s.get(ctx, "config "+app+" "+strings.Join(profiles, " "), func(ctx context.Context, tell func(any, error)) error {
		live, err := configcenter.Open(ctx, s.Center, configcenter.App{Name: app, Profiles: profiles},
			configcenter.Options[map[string]string]{Keys: s.Keys, Unlisted: true})
		if err != nil {
			return err
		}
		defer live.Close()
		var last configcenter.Update[map[string]string]
		for now, err := range live.Updates(ctx) {
			if err != nil {
				return err
			}
			if now.Err != nil && now.Err != last.Err && s.Refused != nil {
				s.Refused(s.advised(now.Err))
			}
			if now.Config != last.Config {
				tell(*now.Config, nil)
			}
			last = now
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("config %q: %w", app, s.advised(err))
	}
	return v.(map[string]string), nil
}

func (s *Source) advised(err error) error {
	if s.Advise == nil {
		return err
	}
	return s.Advise(err)
}
