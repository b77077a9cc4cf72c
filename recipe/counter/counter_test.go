package counter_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/servertest"
	"github.com/quollhq/quoll/recipe/counter"
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

// No increment is lost, with and without promotion.
func TestAdd(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	for name, opts := range map[string][]counter.Option{"plain": nil, "promoted": {counter.PromoteTo("/locks/n")}} {
		t.Run(name, func(t *testing.T) {
			var wg sync.WaitGroup
			for range 6 {
				n := must[*counter.Counter](t)(counter.New(servertest.Dial(t, server), "/count/"+name, opts...))
				wg.Go(func() {
					for range 20 {
						if _, err := n.Add(ctx, 1); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			n := must[*counter.Counter](t)(counter.New(servertest.Dial(t, server), "/count/"+name))
			if v := must[counter.Value](t)(n.Get(ctx)); v.N != 120 {
				t.Errorf("sum %d", v.N)
			}
		})
	}
}

func TestFormats(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c := servertest.Dial(t, server)
	for _, tc := range []struct {
		format counter.Format
		n      int64
		data   string
	}{
		{counter.Long, 258, "\x00\x00\x00\x00\x00\x00\x01\x02"}, {counter.Long, -1, strings.Repeat("\xff", 8)},
		{counter.Int, 7, "\x00\x00\x00\x07"}, {counter.Int, -2, "\xff\xff\xff\xfe"}, {counter.Text, -15, "-15"}, {counter.Text, 5, "5"},
	} {
		n := must[*counter.Counter](t)(counter.New(c, "/formats", counter.WithFormat(tc.format)))
		if _, err := c.Set(ctx, "/formats", nil, -1); err != nil && !errors.Is(err, client.ErrNoNode) {
			t.Fatal(err)
		}
		if v := must[counter.Value](t)(n.Get(ctx)); v.N != 0 {
			t.Errorf("empty: %d", v.N)
		}
		must[counter.Value](t)(n.Set(ctx, tc.n))
		data, _, err := c.Get(ctx, "/formats")
		if err != nil || string(data) != tc.data {
			t.Errorf("%d: data %q, %v", tc.n, data, err)
		}
		if v := must[counter.Value](t)(n.Get(ctx)); v.N != tc.n {
			t.Errorf("%d: read %d", tc.n, v.N)
		}
	}
}

func TestBadInput(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	c := servertest.Dial(t, server)
	_, err := counter.New(c, "x")
	wantIs(t, err, client.ErrBadArguments)
	_, err = counter.New(c, "/x", counter.PromoteTo("y"))
	wantIs(t, err, client.ErrBadArguments)
	must[string](t)(c.Create(ctx, "/bad", []byte("eleven")))
	for _, f := range []counter.Format{counter.Long, counter.Int, counter.Text} {
		n := must[*counter.Counter](t)(counter.New(c, "/bad", counter.WithFormat(f)))
		_, err := n.Add(ctx, 1)
		wantIs(t, err, counter.ErrFormat)
		if !strings.Contains(err.Error(), "/bad") {
			t.Error(err)
		}
	}
	n := must[*counter.Counter](t)(counter.New(c, "/int", counter.WithFormat(counter.Int)))
	_, err = n.Set(ctx, math.MaxInt32+1)
	wantIs(t, err, counter.ErrRange)
	l := must[*counter.Counter](t)(counter.New(c, "/long"))
	must[counter.Value](t)(l.Set(ctx, math.MaxInt64))
	_, err = l.Add(ctx, 1)
	wantIs(t, err, counter.ErrRange)
	must[int64](t)(l.Add(ctx, math.MinInt64))
}

func TestSetIf(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	n := must[*counter.Counter](t)(counter.New(servertest.Dial(t, server), "/setif"))
	none := must[counter.Value](t)(n.Get(ctx))
	one := must[counter.Value](t)(n.SetIf(ctx, none, 1))
	_, err := n.SetIf(ctx, none, 2)
	wantIs(t, err, counter.ErrChanged)
	two := must[counter.Value](t)(n.SetIf(ctx, one, 2))
	_, err = n.SetIf(ctx, one, 3)
	wantIs(t, err, counter.ErrChanged)
	if two.Zxid <= one.Zxid {
		t.Errorf("zxids %d, %d", one.Zxid, two.Zxid)
	}
}

// A change whose reply, or request, was lost counts once.
func TestConnectionLost(t *testing.T) {
	server := servertest.Start(t)
	ctx := servertest.Context(t)
	var b servertest.Breaker
	n := must[*counter.Counter](t)(counter.New(servertest.Dial(t, server, client.WithDialer(b.Dial)), "/lost"))
	v := must[counter.Value](t)(n.Set(ctx, 10))
	b.LoseRequest()
	v = must[counter.Value](t)(n.SetIf(ctx, v, 11))
	b.LoseReply()
	_, err := n.SetIf(ctx, v, 12)
	if !client.MaybeApplied(err) {
		t.Fatalf("error %v", err)
	}
	v = must[counter.Value](t)(n.Get(ctx))
	if v.N != 12 {
		t.Errorf("number %d", v.N)
	}
}

func TestWatch(t *testing.T) {
	server := servertest.Start(t)
	ctx, cancel := context.WithCancel(servertest.Context(t))
	defer cancel()
	n := must[*counter.Counter](t)(counter.New(servertest.Dial(t, server), "/watch"))
	want := int64(0)
	for v, err := range n.Watch(ctx) {
		if errors.Is(err, context.Canceled) {
			return
		}
		if err != nil || v.N != want {
			t.Fatalf("%d, %v; want %d", v.N, err, want)
		}
		if want++; want == 4 {
			cancel()
			continue
		}
		must[counter.Value](t)(n.Set(ctx, want))
	}
}

func FuzzDecode(f *testing.F) {
	for _, data := range []string{"", "5", "-5", "\x00\x00\x00\x07", "12345678"} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, format := range []counter.Format{counter.Long, counter.Int, counter.Text} {
			n, err := counter.Decode(format, data)
			if err != nil {
				wantIs(t, err, counter.ErrFormat)
				continue
			}
			if again, err := counter.Encode(format, n); err != nil || len(data) > 0 && format != counter.Text && string(again) != string(data) {
				t.Errorf("%q: %d, %q, %v", data, n, again, err)
			}
		}
	})
}

func ExampleCounter() {
	servertest.Example(func(ctx context.Context, c *client.Client) error {
		n, err := counter.New(c, "/app/orders")
		if err != nil {
			return err
		}
		for range 3 {
			sum, err := n.Add(ctx, 2)
			fmt.Println(sum, err)
		}
		return nil
	})
	// Output:
	// 2 <nil>
	// 4 <nil>
	// 6 <nil>
}
