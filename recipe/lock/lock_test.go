package lock_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/servertest"
	"github.com/quollhq/quoll/recipe/lock"
)

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantIs(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("error %v, want %v", err, target)
	}
}

func mutex(t *testing.T, c *client.Client, path string, opts ...lock.Option) *lock.Mutex {
	t.Helper()
	return must[*lock.Mutex](t)(lock.New(c, path, opts...))
}

// wantWaiting returns when n contend for the path.
func wantWaiting(t *testing.T, m interface {
	Contenders(context.Context) ([]lock.Contender, error)
}, n int) []lock.Contender {
	t.Helper()
	ctx := servertest.Context(t)
	for {
		list := must[[]lock.Contender](t)(m.Contenders(ctx))
		if len(list) == n {
			return list
		}
		time.Sleep(time.Millisecond)
	}
}

// Nobody is inside with another, nobody is lost, tokens grow, and nothing is left.
func TestMutex(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	clients := []*client.Client{servertest.Dial(t, server), servertest.Dial(t, server), servertest.Dial(t, server)}
	var inside, last atomic.Int64
	var wg sync.WaitGroup
	count := 0
	for i := range 12 {
		m := mutex(t, clients[i%3], "/mutex/a/b")
		wg.Go(func() {
			for range 10 {
				h, err := m.Lock(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				if inside.Add(1) != 1 {
					t.Error("two are inside")
				}
				count++
				if token := h.Token(); token <= last.Swap(token) {
					t.Errorf("token %d does not grow", token)
				}
				inside.Add(-1)
				if err := h.Unlock(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if count != 120 {
		t.Errorf("count %d", count)
	}
	wantWaiting(t, mutex(t, clients[0], "/mutex/a/b"), 0)
}

func TestCuratorsForm(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c := servertest.Dial(t, server)
	h := must[*lock.Held](t)(mutex(t, c, "/form", lock.WithData([]byte("me"))).Lock(ctx))
	if !regexp.MustCompile(`^/form/_c_[0-9a-f-]{36}-lock-\d{10}$`).MatchString(h.Path()) {
		t.Error(h.Path())
	}
	data, stat, err := c.Get(ctx, h.Path())
	if err != nil || string(data) != "me" || stat.Czxid != h.Token() || stat.EphemeralOwner != c.Session().ID() {
		t.Errorf("%q %+v %v", data, stat, err)
	}
	k := must[*lock.Held](t)(mutex(t, c, "/form2", lock.WithNames(lock.KazooNames)).Lock(ctx))
	if !regexp.MustCompile(`^/form2/[0-9a-f]{32}__lock__\d{10}$`).MatchString(k.Path()) {
		t.Error(k.Path())
	}
}

func TestTryLock(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	m := mutex(t, servertest.Dial(t, server), "/try")
	h := must[*lock.Held](t)(m.TryLock(ctx))
	_, err := m.TryLock(ctx)
	wantIs(t, err, lock.ErrLocked)
	if !strings.Contains(err.Error(), "/try") {
		t.Error(err)
	}
	wantWaiting(t, m, 1)
	if err := h.Unlock(ctx); err != nil {
		t.Error(err)
	}
	wantIs(t, h.Unlock(ctx), lock.ErrReleased)
	h = must[*lock.Held](t)(m.TryLock(ctx))
	if err := h.Unlock(ctx); err != nil {
		t.Error(err)
	}
}

// Whoever stops waiting leaves the queue, and its watch is forgotten.
func TestLockCancelled(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c := servertest.Dial(t, server)
	m := mutex(t, c, "/cancelled")
	h := must[*lock.Held](t)(m.Lock(ctx))
	for range 5 {
		short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		_, err := m.Lock(short)
		wantIs(t, err, context.DeadlineExceeded)
		cancel()
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	_, err := m.Lock(done)
	wantIs(t, err, context.Canceled)
	wantWaiting(t, m, 1)
	_ = h.Unlock(done) // fails, and yet the lock is released
	wantWaiting(t, m, 0)
	if h.Context().Err() == nil || !errors.Is(context.Cause(h.Context()), lock.ErrReleased) {
		t.Error(context.Cause(h.Context()))
	}
}

// Every child with a number is a contender, whoever made it; others are an error.
func TestForeignContenders(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c := servertest.Dial(t, server)
	m := mutex(t, c, "/foreign")
	for _, prefix := range []string{"581acc6779b345d099878364c63fd2dd__lock__", "x-72057594037927936-", "n_", "lock-5f-", "z"} {
		if err := c.EnsurePath(ctx, "/foreign"); err != nil {
			t.Fatal(err)
		}
		path := must[string](t)(c.Create(ctx, "/foreign/"+prefix, nil, client.EphemeralSequential))
		_, err := m.TryLock(ctx)
		wantIs(t, err, lock.ErrLocked)
		got := make(chan error, 1)
		go func() {
			h, err := m.Lock(ctx)
			if err == nil {
				err = h.Unlock(ctx)
			}
			got <- err
		}()
		wantWaiting(t, m, 2)
		if err := c.Delete(ctx, path, -1); err != nil {
			t.Fatal(err)
		}
		if err := <-got; err != nil {
			t.Errorf("%s: %v", prefix, err)
		}
	}
	must[string](t)(c.Create(ctx, "/foreign/readme", nil))
	_, err := m.Lock(ctx)
	wantIs(t, err, client.ErrBadArguments)
	if !strings.Contains(err.Error(), "/foreign/readme") {
		t.Error(err)
	}
	if names := must[[]string](t)(c.ChildNames(ctx, "/foreign")); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

func TestBadPaths(t *testing.T) {
	server := servertest.Start(t)
	c := servertest.Dial(t, server)
	for _, path := range []string{"", "x", "/x/", "/x//y"} {
		_, err := lock.New(c, path)
		wantIs(t, err, client.ErrBadArguments)
	}
	_, err := lock.NewSemaphore(c, "/x", 0)
	wantIs(t, err, client.ErrBadArguments)
	ctx := servertest.Context(t)
	must[string](t)(c.Create(ctx, "/leaf", nil, client.Ephemeral))
	_, err = mutex(t, c, "/leaf").Lock(ctx)
	wantIs(t, err, client.ErrNoChildrenForEphemerals)
	if !strings.Contains(err.Error(), "/leaf") {
		t.Error(err)
	}
}

// A node deleted by hand ends the context, and the guard stops writes.
func TestLostByHand(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c, other := servertest.Dial(t, server), servertest.Dial(t, server)
	h := must[*lock.Held](t)(mutex(t, c, "/byhand").Lock(ctx))
	must[[]client.OpResult](t)(h.Multi(ctx, client.CreateOp("/guarded", []byte("1"))))
	if err := other.Delete(ctx, h.Path(), -1); err != nil {
		t.Fatal(err)
	}
	<-h.Context().Done()
	wantIs(t, context.Cause(h.Context()), lock.ErrLost)
	_, err := h.Multi(ctx, client.SetOp("/guarded", []byte("2"), -1))
	wantIs(t, err, lock.ErrLost)
	wantIs(t, h.Unlock(ctx), lock.ErrLost)
	if data, _, _ := c.Get(ctx, "/guarded"); string(data) != "1" {
		t.Errorf("data %q", data)
	}
	_, err = h.Again()
	wantIs(t, err, lock.ErrReleased)
}

func TestClientClosed(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c := must[*client.Client](t)(client.Dial(ctx, server))
	m := mutex(t, c, "/closed")
	h := must[*lock.Held](t)(m.Lock(ctx))
	waiting := make(chan error, 1)
	go func() {
		_, err := m.Lock(ctx)
		waiting <- err
	}()
	wantWaiting(t, m, 2)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	<-h.Context().Done()
	wantIs(t, context.Cause(h.Context()), lock.ErrLost)
	wantIs(t, <-waiting, client.ErrClosed)
	wantIs(t, h.Unlock(ctx), lock.ErrLost)
}

func TestAgain(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	m := mutex(t, servertest.Dial(t, server), "/again")
	h := must[*lock.Held](t)(m.Lock(ctx))
	inner := must[*lock.Held](t)(h.Again())
	if err := h.Unlock(ctx); err != nil {
		t.Fatal(err)
	}
	if inner.Context().Err() != nil || inner.Token() != h.Token() {
		t.Error("the lock has gone with its first handle")
	}
	wantWaiting(t, m, 1)
	if err := inner.Unlock(ctx); err != nil {
		t.Fatal(err)
	}
	wantWaiting(t, m, 0)
}

func TestRevoke(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c := servertest.Dial(t, server)
	m := mutex(t, c, "/revoke")
	h := must[*lock.Held](t)(m.Lock(ctx))
	list := wantWaiting(t, m, 1)
	if list[0].Token != h.Token() || list[0].Session != c.Session().ID() {
		t.Errorf("contender %+v", list[0])
	}
	if err := lock.Revoke(ctx, servertest.Dial(t, server), list[0]); err != nil {
		t.Fatal(err)
	}
	<-h.Revoked()
	if h.Context().Err() != nil {
		t.Error("revoked by itself")
	}
	must[[]client.OpResult](t)(h.Multi(ctx, client.CreateOp("/last-words", nil)))
	if err := h.Unlock(ctx); err != nil {
		t.Error(err)
	}
	wantIs(t, lock.Revoke(ctx, c, list[0]), client.ErrNoNode)
}

func TestRW(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c := servertest.Dial(t, server)
	l := must[*lock.RW](t)(lock.NewRW(c, "/rw"))
	r1 := must[*lock.Held](t)(l.Reader().Lock(ctx))
	r2 := must[*lock.Held](t)(l.Reader().TryLock(ctx))
	_, err := l.Writer().TryLock(ctx)
	wantIs(t, err, lock.ErrLocked)
	writer := make(chan *lock.Held, 1)
	go func() { h, _ := l.Writer().Lock(ctx); writer <- h }()
	wantWaiting(t, l, 3)
	_, err = l.Reader().TryLock(ctx) // behind the writer that waits
	wantIs(t, err, lock.ErrLocked)
	late := make(chan *lock.Held, 1)
	go func() { h, _ := l.Writer().Lock(ctx); late <- h }()
	wantWaiting(t, l, 4)
	for _, h := range []*lock.Held{r2, r1} {
		if err := h.Unlock(ctx); err != nil {
			t.Error(err)
		}
	}
	w := <-writer
	down := must[*lock.Held](t)(l.Downgrade(ctx, w))
	if !errors.Is(context.Cause(w.Context()), lock.ErrReleased) || down.Token() <= w.Token() {
		t.Errorf("writer %v, tokens %d, %d", context.Cause(w.Context()), w.Token(), down.Token())
	}
	_, err = l.Downgrade(ctx, w)
	wantIs(t, err, client.ErrBadArguments)
	list := wantWaiting(t, l, 2)
	if !list[0].Shared || list[0].Path != down.Path() || list[1].Shared {
		t.Errorf("contenders %+v", list)
	}
	if err := down.Unlock(ctx); err != nil {
		t.Error(err)
	}
	if err := (<-late).Unlock(ctx); err != nil {
		t.Error(err)
	}
}

func TestSemaphore(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	clients := []*client.Client{servertest.Dial(t, server), servertest.Dial(t, server)}
	var inside, most atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		s := must[*lock.Semaphore](t)(lock.NewSemaphore(clients[i%2], "/sem", 3))
		wg.Go(func() {
			for range 5 {
				h, err := s.Acquire(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				n := inside.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				time.Sleep(time.Millisecond) // so that others come, too
				inside.Add(-1)
				if err := h.Unlock(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := most.Load(); n > 3 {
		t.Errorf("%d at once inside", n)
	}
	three := must[*lock.Semaphore](t)(lock.NewSemaphore(clients[1], "/sem", 3))
	for range 3 {
		h := must[*lock.Held](t)(three.Acquire(ctx))
		defer h.Unlock(ctx)
	}
	_, err := three.TryAcquire(ctx)
	wantIs(t, err, lock.ErrLocked)
	s := must[*lock.Semaphore](t)(lock.NewSemaphore(clients[0], "/sem1", 1))
	h := must[*lock.Held](t)(s.TryAcquire(ctx))
	_, err = s.TryAcquire(ctx)
	wantIs(t, err, lock.ErrLocked)
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, err = s.Acquire(short)
	wantIs(t, err, context.DeadlineExceeded)
	for { // who gave up leaves in the background
		list := must[[]lock.Contender](t)(s.Holders(ctx))
		if len(list) == 1 && list[0].Path == h.Path() {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err := h.Unlock(ctx); err != nil {
		t.Error(err)
	}
	wantWaiting(t, mutex(t, clients[0], "/sem1/locks"), 0)
}

func TestAll(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c := servertest.Dial(t, server)
	a, b := mutex(t, c, "/all/a"), mutex(t, c, "/all/b")
	both := must[*lock.Several](t)(lock.All(ctx, b, a))
	if len(both.Tokens()) != 2 || len(both.Guards()) != 2 {
		t.Error(both.Tokens())
	}
	_, err := lock.TryAll(ctx, a, b)
	wantIs(t, err, lock.ErrLocked)
	if err := both.Unlock(ctx); err != nil {
		t.Error(err)
	}
	wantIs(t, context.Cause(both.Context()), lock.ErrReleased)
	h := must[*lock.Held](t)(b.Lock(ctx))
	_, err = lock.TryAll(ctx, a, b)
	wantIs(t, err, lock.ErrLocked)
	wantWaiting(t, a, 0)
	if err := h.Unlock(ctx); err != nil {
		t.Error(err)
	}
	_, err = lock.All(ctx, a, mutex(t, c, "/all/a"))
	wantIs(t, err, client.ErrBadArguments)
}

// A connection that breaks at any step of locking leaves one contender, not two,
// and at its release none.
func TestConnectionLost(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	var b servertest.Breaker
	c := servertest.Dial(t, server, client.WithDialer(b.Dial))
	l := must[*lock.RW](t)(lock.NewRW(c, "/lost"))
	for name, lose := range map[string]func(){"request": b.LoseRequest, "reply": b.LoseReply} {
		t.Run(name, func(t *testing.T) {
			lose()
			w := must[*lock.Held](t)(l.Writer().Lock(ctx))
			if list := wantWaiting(t, l, 1); list[0].Path != w.Path() || list[0].Token != w.Token() {
				t.Errorf("contenders %+v, held %s", list, w.Path())
			}
			lose()
			r := must[*lock.Held](t)(l.Downgrade(ctx, w))
			if list := wantWaiting(t, l, 1); list[0].Path != r.Path() || list[0].Token != r.Token() {
				t.Errorf("contenders %+v, held %s", list, r.Path())
			}
			if r.Context().Err() != nil {
				t.Error(context.Cause(r.Context()))
			}
			lose()
			if err := r.Unlock(ctx); err != nil {
				t.Error(err)
			}
			wantWaiting(t, l, 0)
			lose()
			short, cancel := context.WithCancel(ctx)
			cancel()
			_, err := l.Writer().Lock(short)
			wantIs(t, err, context.Canceled)
			wantWaiting(t, l, 0)
		})
	}
}

// A client that makes no request twice hears of a revocation, too, when a
// connection breaks.
func TestRevokedWithoutRetries(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	other := servertest.Dial(t, server)
	var b servertest.Breaker
	c := servertest.Dial(t, server, client.WithDialer(b.Dial), client.WithRetry(client.NeverRetry))
	m := mutex(t, c, "/revoked")
	h := must[*lock.Held](t)(m.Lock(ctx))
	b.LoseRequest() // the next one looks what has become of the node
	if err := lock.Revoke(ctx, other, wantWaiting(t, mutex(t, other, "/revoked"), 1)[0]); err != nil {
		t.Fatal(err)
	}
	select {
	case <-h.Revoked():
	case <-ctx.Done():
		t.Error("the holder has not heard of it")
	}
	if err := h.Unlock(ctx); err != nil {
		t.Error(err)
	}
}
