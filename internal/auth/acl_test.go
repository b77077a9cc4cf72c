package auth

import (
	"fmt"
	"sync"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
)

func TestSkipACL(t *testing.T) {
	acl := []proto.ACL{{Perms: 1, Scheme: "digest", ID: "u:h"}}
	for _, skip := range []bool{false, true} {
		r := mustNew(t, Options{SkipACL: skip})
		if got := r.Compile(acl).Allows(proto.PermAdmin, nil); got != skip {
			t.Errorf("skipACL %v: allowed %v", skip, got)
		}
		if err := r.Check(proto.PermAdmin, acl, nil); (err == nil) != skip {
			t.Errorf("skipACL %v: %v", skip, err)
		}
	}
}

// checks are lists that take every way through a check.
func checks(t testing.TB) (r *Registry, lists map[string][]proto.ACL, ids []ID) {
	r = goldenRegistry(t)
	return r, map[string][]proto.ACL{
		"world":   proto.OpenACL(),
		"digest":  {{Perms: 31, Scheme: "digest", ID: "other:h"}, {Perms: 31, Scheme: "digest", ID: "u:h"}},
		"ip":      {{Perms: 31, Scheme: "ip", ID: "192.168.0.0/16"}, {Perms: 31, Scheme: "ip", ID: "fe80::/10"}, {Perms: 31, Scheme: "ip", ID: "10.0.0.0/8"}},
		"sasl":    {{Perms: 31, Scheme: "sasl", ID: "anybody"}},
		"x509":    {{Perms: 31, Scheme: "x509", ID: "CN=x"}},
		"nobody":  {{Perms: 31, Scheme: "x509", ID: "CN=other"}, {Perms: 31, Scheme: "nope", ID: "u"}},
		"another": {{Perms: 2, Scheme: "world", ID: "anyone"}},
	}, []ID{{"ip", "10.1.2.3"}, {"digest", "u:h"}, {"sasl", "bob"}, {"x509", "CN=x"}}
}

func TestAllowsDoesNotAllocate(t *testing.T) {
	r, lists, ids := checks(t)
	for name, acl := range lists {
		c := r.Compile(acl)
		want := name != "nobody" && name != "another"
		if got := c.Allows(proto.PermRead, ids); got != want {
			t.Errorf("%s: allowed %v", name, got)
		}
		if n := testing.AllocsPerRun(100, func() { c.Allows(proto.PermRead, ids) }); n != 0 {
			t.Errorf("%s: %v allocations for a check", name, n)
		}
	}
	cache := r.NewCache()
	open := proto.OpenACL()
	cache.Get(3, open)
	if n := testing.AllocsPerRun(100, func() { cache.Get(3, open).Allows(proto.PermRead, ids) }); n != 0 {
		t.Errorf("%v allocations for a cached check", n)
	}
}

func TestFixupDoesNotAllocate(t *testing.T) {
	r := goldenRegistry(t)
	acl := proto.OpenACL()
	if n := testing.AllocsPerRun(100, func() { r.FixupACL(acl, nil) }); n != 0 {
		t.Errorf("%v allocations to accept an open list", n)
	}
}

func TestFixupOfManyEntries(t *testing.T) {
	r := goldenRegistry(t)
	var acl, want []proto.ACL
	for i := range 20000 {
		a := proto.ACL{Perms: 1, Scheme: "ip", ID: fmt.Sprintf("10.0.%d.%d", i/100, i%50)}
		acl = append(acl, a)
		if i%100 < 50 {
			want = append(want, a)
		}
	}
	got, err := r.FixupACL(acl, nil)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d entries, %v; want %d", len(got), err, len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("entry %d is %v, want %v", i, got[i], want[i])
		}
	}
}

func TestCacheTellsListsOfOneNumberApart(t *testing.T) {
	r := goldenRegistry(t)
	cache := r.NewCache()
	open := proto.OpenACL()
	closed := []proto.ACL{{Perms: 1, Scheme: "digest", ID: "u:h"}}
	for range 3 {
		if !cache.Get(5, open).Allows(1, nil) {
			t.Error("open list refuses")
		}
		if cache.Get(5, closed).Allows(1, nil) {
			t.Error("closed list allows")
		}
		if cache.Get(maxCached+1, closed).Allows(1, nil) {
			t.Error("closed list of a large number allows")
		}
	}
	if !cache.Get(7, nil).Allows(31, nil) {
		t.Error("empty list refuses")
	}
	if a, b := cache.Get(5, open), cache.Get(5, open); a != b {
		t.Error("list is compiled again at every look-up")
	}
	long := append(open, closed...)
	if a := cache.Get(5, long[:1]); a.Allows(1, nil) != true {
		t.Error("open list refuses")
	}
	if a := cache.Get(5, long); len(a.entries) != 1 {
		t.Error("longer list at the same place is taken for the shorter")
	}
}

func TestCacheConcurrently(t *testing.T) {
	r := goldenRegistry(t)
	cache := r.NewCache()
	lists := make([][]proto.ACL, 500)
	for i := range lists {
		lists[i] = []proto.ACL{{Perms: 1, Scheme: "digest", ID: fmt.Sprint(i)}}
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for n := range 4 * len(lists) {
				i := (n*7 + g*131) % len(lists)
				if !cache.Get(uint32(i), lists[i]).Allows(1, []ID{{"digest", fmt.Sprint(i)}}) {
					t.Errorf("list %d refuses", i)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkAllows(b *testing.B) {
	r, lists, ids := checks(b)
	for name, acl := range lists {
		c := r.Compile(acl)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				c.Allows(proto.PermRead, ids)
			}
		})
	}
	b.Run("cached", func(b *testing.B) {
		cache := r.NewCache()
		open := proto.OpenACL()
		for b.Loop() {
			cache.Get(1, open).Allows(proto.PermRead, ids)
		}
	})
}
