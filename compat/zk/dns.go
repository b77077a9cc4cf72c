package zk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"
)

const defaultLookupTimeout = 3 * time.Second

// lookupHostFn is net.Resolver.LookupHost.
type lookupHostFn func(context.Context, string) ([]string, error)

// DNSHostProviderOption is an option of NewDNSHostProvider.
type DNSHostProviderOption interface {
	apply(*DNSHostProvider)
}

type lookupTimeoutOption time.Duration

func (o lookupTimeoutOption) apply(provider *DNSHostProvider) {
	provider.lookupTimeout = time.Duration(o)
}

// WithLookupTimeout bounds the time in which all names must be resolved. Default:
// 3 s.
func WithLookupTimeout(timeout time.Duration) DNSHostProviderOption {
	return lookupTimeoutOption(timeout)
}

// DNSHostProvider is a [HostProvider] that resolves names: in Init, and whenever
// all addresses have been tried in vain. It hands out addresses in random order.
type DNSHostProvider struct {
	mu            sync.Mutex // of all below
	names         []string   // host:port
	servers       []string   // address:port
	curr          int
	last          int
	lookupTimeout time.Duration
	lookupHost    lookupHostFn // nil for the resolver
}

// NewDNSHostProvider makes a DNSHostProvider.
func NewDNSHostProvider(options ...DNSHostProviderOption) *DNSHostProvider {
	var provider DNSHostProvider
	for _, option := range options {
		option.apply(&provider)
	}
	return &provider
}

// Init resolves the names of the servers.
func (hp *DNSHostProvider) Init(servers []string) error {
	hp.mu.Lock()
	defer hp.mu.Unlock()
	found, err := hp.lookup(servers)
	if err != nil {
		return err
	}
	hp.names = slices.Clone(servers)
	hp.use(found)
	return nil
}

func (hp *DNSHostProvider) use(found []string) {
	rand.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	hp.servers, hp.curr, hp.last = found, -1, -1
}

// lookup finds the addresses of all servers. hp.mu is held.
func (hp *DNSHostProvider) lookup(servers []string) ([]string, error) {
	lookupHost := hp.lookupHost
	if lookupHost == nil {
		lookupHost = net.DefaultResolver.LookupHost
	}
	timeout := hp.lookupTimeout
	if timeout == 0 {
		timeout = defaultLookupTimeout
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var found []string
	for _, server := range servers {
		host, port, err := net.SplitHostPort(server)
		if err != nil {
			return nil, err
		}
		addrs, err := lookupHost(ctx, host)
		if err != nil {
			return nil, err
		}
		for _, addr := range addrs {
			found = append(found, net.JoinHostPort(addr, port))
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no hosts found for addresses %q", servers)
	}
	return found, nil
}

// Len is the number of addresses.
func (hp *DNSHostProvider) Len() int {
	hp.mu.Lock()
	defer hp.mu.Unlock()
	return len(hp.servers)
}

// Next is the address to try next. retryStart tells that all have been tried
// since Connected was called last.
func (hp *DNSHostProvider) Next() (server string, retryStart bool) {
	hp.mu.Lock()
	defer hp.mu.Unlock()
	next := (hp.curr + 1) % len(hp.servers)
	if next == hp.last && hp.moved() {
		// The addresses are others now: the first of them is due, after the pause.
		hp.curr, hp.last = 0, 0
		return hp.servers[0], true
	}
	hp.curr = next
	retryStart = hp.curr == hp.last
	if hp.last == -1 {
		hp.last = 0
	}
	return hp.servers[hp.curr], retryStart
}

// moved resolves the names again, and tells whether there are other addresses. A
// resolver that fails changes nothing. hp.mu is held.
func (hp *DNSHostProvider) moved() bool {
	found, err := hp.lookup(hp.names)
	if err != nil || same(found, hp.servers) {
		return false
	}
	hp.use(found)
	return true
}

func same(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// Connected tells that the last address has led to a session.
func (hp *DNSHostProvider) Connected() {
	hp.mu.Lock()
	defer hp.mu.Unlock()
	hp.last = hp.curr
}
