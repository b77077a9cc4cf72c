package client

import (
	"slices"
	"strings"
	"sync"

	"github.com/quollhq/quoll/internal/proto"
)

// onceKind tells one-shot watches apart, as servers do and as setWatches
// does.
type onceKind int

const (
	onceData  onceKind = iota // set on a node that is there
	onceExist                 // set on a node that is not
	onceChild
)

var onceKinds = [...]onceKind{onceChild, onceData, onceExist}

func (k onceKind) removedBy() WatchKind {
	if k == onceChild {
		return ChildWatches
	}
	return DataWatches
}

func (k onceKind) removed() EventType {
	if k == onceChild {
		return EventChildWatchRemoved
	}
	return EventDataWatchRemoved
}

// onceWatch is a one-shot watch that a read is about to set.
type onceWatch struct {
	kind onceKind
	path string // the server's
	sink sink
}

// sink is where the one event of a one-shot watch goes: a channel with room for
// it, or a function.
type sink struct {
	ch     chan Event
	notify func(Event)
}

// newSink makes a channel to be told by.
func newSink() sink { return sink{ch: make(chan Event, 1)} }

// set tells whether there is anybody to be told.
func (s sink) set() bool { return s.ch != nil || s.notify != nil }

// fire delivers the event. It is called once.
func (s sink) fire(ev Event) {
	if s.notify != nil {
		s.notify(ev)
		return
	}
	s.ch <- ev
	close(s.ch)
}

// watchTable is what the client watches, by the server's paths. Whatever
// changes it because of something a server said is the connection's reading
// goroutine, in the order in which the server said it.
type watchTable struct {
	mu      sync.Mutex
	once    [3]map[string][]sink
	streams [2]map[string][]*Watch // by WatchMode
}

func (t *watchTable) init() {
	for i := range t.once {
		t.once[i] = map[string][]sink{}
	}
	for i := range t.streams {
		t.streams[i] = map[string][]*Watch{}
	}
}

// settle does to the table what a reply to q implies. If q's caller is not there
// any more, nobody waits for a watch of its own, but those that the server has
// taken away are gone.
func (t *watchTable) settle(q *call, there bool) {
	switch {
	case !there && q.forget == nil:
	case q.once != nil:
		t.settleOnce(q)
	case q.code != proto.OK:
	case q.stream != nil:
		w := q.stream
		path := w.c.serverPath(w.path)
		t.mu.Lock()
		m := t.streams[w.mode]
		m[path] = append(m[path], w)
		t.mu.Unlock()
	case q.forget != nil:
		q.forget.apply()
	}
}

func (t *watchTable) settleOnce(q *call) {
	kind := q.once.kind
	switch {
	case q.code == proto.OK:
	case q.code == proto.NoNode && q.op == proto.OpExists:
		kind = onceExist
	default:
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.once[kind]
	m[q.once.path] = append(m[q.once.path], q.once.sink)
}

// takeOnce removes the one-shot watches of a path.
func (t *watchTable) takeOnce(k onceKind, path string) []sink {
	t.mu.Lock()
	defer t.mu.Unlock()
	sinks := t.once[k][path]
	delete(t.once[k], path)
	return sinks
}

// dropOnce removes one one-shot watch.
func (t *watchTable) dropOnce(path string, ch <-chan Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range t.once {
		i := slices.IndexFunc(m[path], func(s sink) bool { return s.ch != nil && s.ch == ch })
		if i < 0 {
			continue
		}
		if m[path] = slices.Delete(m[path], i, i+1); len(m[path]) == 0 {
			delete(m, path)
		}
	}
}

// takeStreams removes the streams of a path.
func (t *watchTable) takeStreams(path string, mode WatchMode) []*Watch {
	t.mu.Lock()
	defer t.mu.Unlock()
	ws := t.streams[mode][path]
	delete(t.streams[mode], path)
	return ws
}

// streamsAt is the streams of a path.
func (t *watchTable) streamsAt(path string, mode WatchMode) []*Watch {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.streams[mode][path])
}

// drop removes one stream and tells whether it was there.
func (t *watchTable) drop(w *Watch) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	path := w.c.serverPath(w.path)
	m := t.streams[w.mode]
	i := slices.Index(m[path], w)
	if i < 0 {
		return false
	}
	if m[path] = slices.Delete(m[path], i, i+1); len(m[path]) == 0 {
		delete(m, path)
	}
	return true
}

// fired removes the one-shot watches that an event concerns and returns them
// with the streams that it concerns.
func (t *watchTable) fired(ev *proto.WatcherEvent) (sinks []sink, streams []*Watch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range firedBy(ev.Type) {
		sinks = append(sinks, t.once[k][ev.Path]...)
		delete(t.once[k], ev.Path)
	}
	streams = append(streams, t.streams[WatchNode][ev.Path]...)
	if ev.Type == proto.EventNodeChildrenChanged || len(t.streams[WatchTree]) == 0 {
		return sinks, streams
	}
	for path := ev.Path; path != ""; path = parentOf(path) {
		streams = append(streams, t.streams[WatchTree][path]...)
	}
	return sinks, streams
}

// firedBy tells which one-shot watches an event uses up.
func firedBy(t proto.EventType) []onceKind {
	switch t {
	case proto.EventNodeCreated, proto.EventNodeDataChanged:
		return []onceKind{onceData, onceExist}
	case proto.EventNodeChildrenChanged:
		return []onceKind{onceChild}
	case proto.EventNodeDeleted:
		return []onceKind{onceData, onceExist, onceChild}
	}
	return nil
}

// parentOf is the parent's path, "" above the root.
func parentOf(path string) string {
	switch i := strings.LastIndexByte(path, '/'); {
	case i > 0:
		return path[:i]
	case i == 0 && len(path) > 1:
		return "/"
	}
	return ""
}

// endAll empties the table: ev tells everybody why.
func (t *watchTable) endAll(ev Event) {
	t.mu.Lock()
	once, streams := t.once, t.streams
	t.init()
	t.mu.Unlock()
	for _, m := range once {
		for _, sinks := range m {
			for _, s := range sinks {
				s.fire(ev)
			}
		}
	}
	for _, m := range streams {
		for _, ws := range m {
			for _, w := range ws {
				w.end(ev.Err)
			}
		}
	}
}
