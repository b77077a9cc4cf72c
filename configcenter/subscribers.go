package configcenter

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/quollhq/quoll/recipe/group"
)

// Subscriber is a running program that follows its configuration.
type Subscriber struct {
	Instance string            `json:"-"`
	Contexts []string          `json:"contexts"`
	Labels   map[string]string `json:"labels,omitempty"`
	// Revisions and Canaries are those that it runs.
	Revisions map[string]int64 `json:"revisions"`
	Canaries  []string         `json:"canaries,omitempty"`
	// Error is why it does not run what is published.
	Error string `json:"error,omitempty"`
	// Since is when it began to run them.
	Since time.Time `json:"since"`
}

// Subscribers lists the programs of an application that follow their
// configuration, sorted by instance. Programs on Spring are not among them.
func (c *Center) Subscribers(ctx context.Context, app string) ([]Subscriber, error) {
	if err := checkName("application", app); err != nil {
		return nil, fmt.Errorf("configcenter: %w", err)
	}
	g, err := group.New(c.c, c.subscribers(app))
	if err != nil {
		return nil, fmt.Errorf("configcenter: %w", err)
	}
	members, err := g.Members(ctx)
	if err != nil {
		return nil, fmt.Errorf("configcenter: %w", err)
	}
	var list []Subscriber
	for _, m := range members {
		s := Subscriber{Instance: m.ID}
		if err := json.Unmarshal(m.Data, &s); err != nil {
			return nil, fmt.Errorf("configcenter: %s: %w: no subscriber: %w", m.Path, ErrInvalid, err)
		}
		s.Instance = m.ID
		list = append(list, s)
	}
	return list, nil
}

// reporter keeps the entry of a program in the list of subscribers. A nil reporter
// does nothing.
type reporter struct {
	center *Center
	app    App
	cancel context.CancelFunc
	ended  chan struct{}

	mu   sync.Mutex
	last []byte
	news chan struct{} // holds a token when last has changed
}

func newReporter(c *Center, app App) *reporter {
	ctx, cancel := context.WithCancel(context.Background())
	r := &reporter{center: c, app: app, cancel: cancel, ended: make(chan struct{}), news: make(chan struct{}, 1)}
	go r.run(ctx)
	return r
}

// say records what the program runs, and what keeps it from running another.
func (r *reporter) say(v View, failure error) {
	if r == nil {
		return
	}
	s := Subscriber{
		Contexts: r.app.Contexts(), Labels: r.app.Labels, Revisions: v.Revisions, Canaries: v.Canaries,
		Since: time.Now().UTC().Truncate(time.Millisecond),
	}
	if failure != nil {
		s.Error = failure.Error()
	}
	data, err := json.Marshal(s)
	if err != nil {
		r.center.log.Error("subscriber not listed", "app", r.app.Name, "error", err)
		return
	}
	r.mu.Lock()
	r.last = data
	r.mu.Unlock()
	select {
	case r.news <- struct{}{}:
	default:
	}
}

func (r *reporter) latest() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// run joins the list with the first news, and brings it up to date with each.
func (r *reporter) run(ctx context.Context) {
	defer close(r.ended)
	var member *group.Member
	for {
		select {
		case <-r.news:
		case <-ctx.Done():
			r.leave(ctx, member)
			return
		}
		var err error
		if member == nil {
			member, err = r.join(ctx)
		} else if !pause(ctx, rand.N(reportSpread)) {
			continue
		} else {
			err = member.Update(ctx, r.latest())
		}
		if err != nil && ctx.Err() == nil {
			r.center.log.Warn("subscriber not listed as it is", "app", r.app.Name, "instance", r.app.Instance, "error", err)
		}
	}
}

// reportSpread is the time over which the programs that have taken a change say so:
// not while others are still about to get it.
const reportSpread = 500 * time.Millisecond

// pause waits, and tells whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (r *reporter) join(ctx context.Context) (*group.Member, error) {
	var opts []group.Option
	if r.center.acl != nil {
		opts = append(opts, group.WithACL(r.center.acl))
	}
	g, err := group.New(r.center.c, r.center.subscribers(r.app.Name), opts...)
	if err != nil {
		return nil, err
	}
	return g.Join(ctx, r.app.Instance, r.latest())
}

// closingTime bounds how long a server is asked to forget a subscriber.
const closingTime = time.Second

func (r *reporter) leave(ctx context.Context, member *group.Member) {
	if member == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closingTime)
	defer cancel()
	_ = member.Leave(ctx) // it goes on in the background
}

func (r *reporter) stop() {
	if r != nil {
		r.cancel()
		<-r.ended
	}
}
