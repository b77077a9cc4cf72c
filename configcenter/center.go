package configcenter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/quollhq/quoll/client"
)

// Defaults of the options.
const (
	DefaultRoot      = "/config"
	DefaultHistory   = 100
	DefaultMaxPacket = 1<<20 - 1024
)

// Center publishes and reads configuration.
type Center struct {
	c       *client.Client
	root    string
	meta    string
	acl     client.ACLs
	log     *slog.Logger
	history int64
	packet  int
}

// Option changes how a Center works.
type Option func(*Center)

// WithRoot is the node that holds the contexts; revisions are in ROOT.quoll.
// Default: /config.
func WithRoot(path string) Option {
	return func(c *Center) { c.root, c.meta = path, path+".quoll" }
}

// WithACL protects the nodes that are made. Default: open to all.
func WithACL(acl client.ACLs) Option { return func(c *Center) { c.acl = acl } }

// WithLogger logs publications and configuration that was refused. Default, and if log is nil:
// no log.
func WithLogger(log *slog.Logger) Option {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return func(c *Center) { c.log = log }
}

// WithHistory is how many revisions of a context are kept. Default: 100.
func WithHistory(revisions int) Option {
	return func(c *Center) { c.history = int64(max(revisions, 1)) }
}

// WithMaxPacket bounds a publication, in bytes; servers close the connection that
// a packet of jute.maxbuffer or more comes on. Default: 1 MiB less some.
func WithMaxPacket(bytes int) Option { return func(c *Center) { c.packet = bytes } }

// New makes a Center that works by a client.
func New(c *client.Client, opts ...Option) *Center {
	center := &Center{
		c: c, root: DefaultRoot, meta: DefaultRoot + ".quoll",
		log: slog.New(slog.DiscardHandler), history: DefaultHistory, packet: DefaultMaxPacket,
	}
	for _, opt := range opts {
		opt(center)
	}
	return center
}

func (c *Center) dir(name string) string         { return client.Join(c.root, name) }
func (c *Center) headPath(name string) string    { return c.meta + "/" + name + "/head" }
func (c *Center) canaryDir(name string) string   { return c.meta + "/" + name + "/canaries" }
func (c *Center) revisionDir(name string) string { return c.meta + "/" + name + "/revisions" }
func (c *Center) subscribers(app string) string  { return c.meta + "/" + app + "/subscribers" }
func (c *Center) revisionPath(name string, n int64) string {
	return fmt.Sprintf("%s/%010d", c.revisionDir(name), n)
}

// Contexts lists the contexts that have properties, or had, sorted.
func (c *Center) Contexts(ctx context.Context) ([]string, error) {
	names, err := c.c.ChildNames(ctx, c.root)
	if err != nil && !errors.Is(err, client.ErrNoNode) {
		return nil, fmt.Errorf("configcenter: %w", err)
	}
	slices.Sort(names)
	return names, nil
}

// Properties reads the properties of a context as they are, encrypted ones as
// such, and the number of its last revision; 0 if nothing was published.
func (c *Center) Properties(ctx context.Context, name string) (map[string]string, int64, error) {
	if err := checkName("context", name); err != nil {
		return nil, 0, fmt.Errorf("configcenter: %w", err)
	}
	states, err := c.read(ctx, newKnown(c, name))
	if err != nil {
		return nil, 0, fmt.Errorf("configcenter: %w", err)
	}
	s := states[name]
	c.warn(s.doubles)
	return s.values(), s.revision, errors.Join(s.problems...)
}

// warn logs properties of which there are two nodes.
func (c *Center) warn(doubles []error) {
	for _, err := range doubles {
		c.log.Warn("a property has two nodes", "error", err)
	}
}

// state is a context as it was read.
type state struct {
	properties map[string]property
	steps      map[string]node // by path: nodes that only lead to properties
	revision   int64
	head       int32 // version of the head; -1 if there is none
	canaries   []Canary
	problems   []error // nodes that are not what they should be
	doubles    []error // properties with nodes that do not count
}

// node is a node below a context as it was read.
type node struct {
	path, value string
	version     int32
	children    int32
}

// property is one property as it was read.
type property struct {
	node
	hidden *property // another node of the property, which does not count
}

// before tells whether p counts, and not o: the one that is nearer to the context.
func (p property) before(o property) bool {
	depth := strings.Count(p.path, "/") - strings.Count(o.path, "/")
	return depth < 0 || depth == 0 && p.path < o.path
}

func (s *state) values() map[string]string {
	values := make(map[string]string, len(s.properties))
	for key, p := range s.properties {
		values[key] = p.value
	}
	return values
}

// known is where the nodes of some contexts are, as far as is known: reading
// them finds more. Kept from one reading to the next, it makes one request do.
type known struct {
	contexts []string
	nodes    map[string][]string // by context: paths, parents before children
	canaries map[string][]string // by context: names
}

func newKnown(c *Center, contexts ...string) *known {
	k := &known{contexts: contexts, nodes: make(map[string][]string), canaries: make(map[string][]string)}
	for _, name := range contexts {
		k.nodes[name] = []string{c.dir(name)}
	}
	return k
}

// errBusy: what should be read in one state has changed all the time.
var errBusy = errors.New("it changes faster than it can be read")

// rounds bounds how often a context is read anew because it has changed.
const rounds = 100

// read reads contexts in one state of the tree.
func (c *Center) read(ctx context.Context, k *known) (map[string]*state, error) {
	for range rounds {
		states, complete, err := c.readOnce(ctx, k)
		if err != nil || complete {
			return states, err
		}
	}
	return nil, fmt.Errorf("%s: %w", c.root, errBusy)
}

// readOnce reads what is known; complete is false if there is more, which is
// known from now on.
func (c *Center) readOnce(ctx context.Context, k *known) (states map[string]*state, complete bool, err error) {
	var ops []client.ReadOp
	for _, name := range k.contexts {
		ops = append(ops, client.GetOp(c.headPath(name)), client.ChildrenOp(c.canaryDir(name)))
		for _, canary := range k.canaries[name] {
			ops = append(ops, client.GetOp(client.Join(c.canaryDir(name), canary)))
		}
		for _, path := range k.nodes[name] {
			ops = append(ops, client.GetOp(path), client.ChildrenOp(path))
		}
	}
	results, err := c.readAll(ctx, ops)
	if err != nil {
		return nil, false, err
	}
	states, complete = make(map[string]*state), true
	for _, name := range k.contexts {
		r := reading{c: c, name: name, state: state{head: -1, properties: make(map[string]property), steps: make(map[string]node)}, results: results}
		same, err := r.context(k)
		if err != nil {
			return nil, false, err
		}
		results = r.results
		states[name] = &r.state
		complete = complete && same
	}
	return states, complete, nil
}

// atOnce bounds the operations of one request. Contexts with more nodes are read
// in several states of the tree.
const atOnce = 4000

func (c *Center) readAll(ctx context.Context, ops []client.ReadOp) ([]client.ReadResult, error) {
	var all []client.ReadResult
	for len(ops) > 0 {
		some := ops[:min(len(ops), atOnce)]
		ops = ops[len(some):]
		results, err := c.c.MultiRead(ctx, some...)
		if err != nil {
			return nil, err
		}
		all = append(all, results...)
	}
	return all, nil
}

// reading makes a state of results.
type reading struct {
	c       *Center
	name    string
	state   state
	results []client.ReadResult
}

func (r *reading) next() client.ReadResult {
	first := r.results[0]
	r.results = r.results[1:]
	return first
}

// context takes the results of one context; same is false if there are other
// nodes than were known.
func (r *reading) context(k *known) (same bool, err error) {
	if err := r.headOf(r.next()); err != nil {
		return false, err
	}
	names := r.next()
	if names.Err != nil && !errors.Is(names.Err, client.ErrNoNode) {
		return false, names.Err
	}
	slices.Sort(names.Children)
	same = slices.Equal(names.Children, k.canaries[r.name])
	for _, name := range k.canaries[r.name] {
		r.canary(name, r.next())
	}
	k.canaries[r.name] = names.Children
	found := []string{r.c.dir(r.name)}
	for _, path := range k.nodes[r.name] {
		data, children := r.next(), r.next()
		if errors.Is(data.Err, client.ErrNoNode) || errors.Is(children.Err, client.ErrNoNode) {
			continue
		}
		if err := errors.Join(data.Err, children.Err); err != nil {
			return false, err
		}
		if path != r.c.dir(r.name) {
			r.property(path, data)
		}
		slices.Sort(children.Children)
		for _, child := range children.Children {
			found = append(found, client.Join(path, child))
		}
	}
	same = same && sameSet(found, k.nodes[r.name])
	k.nodes[r.name] = found
	return same, nil
}

// sameSet compares two lists without duplicates.
func sameSet(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

func (r *reading) headOf(head client.ReadResult) (err error) {
	if errors.Is(head.Err, client.ErrNoNode) {
		return nil
	}
	if head.Err != nil {
		return head.Err
	}
	r.state.head = head.Stat.Version
	if r.state.revision, err = strconv.ParseInt(string(head.Data), 10, 64); err != nil || r.state.revision < 1 {
		return fmt.Errorf("%w: %s holds %.40q, not the number of a revision", ErrInvalid, r.c.headPath(r.name), head.Data)
	}
	return nil
}

func (r *reading) canary(name string, node client.ReadResult) {
	if errors.Is(node.Err, client.ErrNoNode) {
		return
	}
	path := client.Join(r.c.canaryDir(r.name), name)
	canary, err := decodeCanary(name, node.Data)
	if err = errors.Join(node.Err, err); err != nil {
		r.state.problems = append(r.state.problems, fmt.Errorf("%s: %w", path, err))
		return
	}
	r.state.canaries = append(r.state.canaries, canary)
}

// property takes a node below a context. One that has children and no data is not
// a property but a step of a path.
func (r *reading) property(path string, result client.ReadResult) {
	n := node{path, string(result.Data), result.Stat.Version, result.Stat.NumChildren}
	if n.children > 0 && n.value == "" {
		r.state.steps[path] = n
		return
	}
	key, p := keyOf(r.c.dir(r.name), path), property{node: n}
	if other, taken := r.state.properties[key]; taken {
		if other.before(p) {
			p, other = other, p
			other.hidden = p.hidden
		}
		r.state.doubles = append(r.state.doubles, fmt.Errorf("%s and %s are the same property: the first one counts", p.path, other.path))
		p.hidden = &other
	}
	r.state.properties[key] = p
}
