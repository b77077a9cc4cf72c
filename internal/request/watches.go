package request

import (
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/watch"
)

func (r *reader) addWatch(b []byte, d *jute.Decoder) ([]byte, proto.Code) {
	path, mode := d.AliasString(), d.Int()
	if d.Err() != nil {
		return b, proto.MarshallingError
	}
	switch mode {
	case proto.WatchPersistent:
		r.e.Watches.Add(r.c.Watcher, path, watch.Persistent)
	case proto.WatchPersistentRecursive:
		r.e.Watches.Add(r.c.Watcher, path, watch.PersistentRecursive)
	default:
		return b, proto.MarshallingError
	}
	return jute.AppendInt(b, 0), proto.OK
}

// findWatch checks or removes watches of one type.
func (r *reader) findWatch(d *jute.Decoder, remove bool) proto.Code {
	path, t := d.AliasString(), proto.WatcherType(d.Int())
	if d.Err() != nil || t < proto.WatcherChildren || t > proto.WatcherPersistentRecursive {
		return proto.MarshallingError
	}
	found := false
	if remove {
		found = r.e.Watches.Remove(r.c.Watcher, path, t)
	} else {
		found = r.e.Watches.Contains(r.c.Watcher, path, t)
	}
	if !found {
		return proto.NoWatcher
	}
	return proto.OK
}

// setWatches takes the watches that a client had on the connection before. For
// those whose event it missed the event is sent now, ahead of the reply.
func (r *reader) setWatches(b []byte, d *jute.Decoder, op proto.Op) ([]byte, proto.Code) {
	var s proto.SetWatches
	if s.Decode(d, op); d.Err() != nil {
		return b, proto.MarshallingError
	}
	// The reply's frame stands in the outbox already: the events go before it.
	o := &r.c.Outbox
	reply := append([]byte(nil), b[o.frame:]...)
	events := b[:o.frame]
	for _, path := range s.Data {
		n := r.t.Find(path)
		switch {
		case n == 0:
			events = r.missed(events, proto.EventNodeDeleted, path)
		case r.t.Stat(n).Mzxid > s.RelativeZxid:
			events = r.missed(events, proto.EventNodeDataChanged, path)
		default:
			r.e.Watches.Add(r.c.Watcher, path, watch.Data)
		}
	}
	for _, path := range s.Exist {
		if r.t.Find(path) != 0 {
			events = r.missed(events, proto.EventNodeCreated, path)
		} else {
			r.e.Watches.Add(r.c.Watcher, path, watch.Data)
		}
	}
	for _, path := range s.Child {
		n := r.t.Find(path)
		switch {
		case n == 0:
			events = r.missed(events, proto.EventNodeDeleted, path)
		case r.t.Stat(n).Pzxid > s.RelativeZxid:
			events = r.missed(events, proto.EventNodeChildrenChanged, path)
		default:
			r.e.Watches.Add(r.c.Watcher, path, watch.Child)
		}
	}
	for _, path := range s.Persistent {
		r.e.Watches.Add(r.c.Watcher, path, watch.Persistent)
	}
	for _, path := range s.PersistentRecursive {
		r.e.Watches.Add(r.c.Watcher, path, watch.PersistentRecursive)
	}
	o.frame = len(events)
	return append(events, reply...), proto.OK
}

func (r *reader) missed(b []byte, t proto.EventType, path string) []byte {
	r.e.Metrics.event(t, 1, 0)
	return appendEvent(b, -1, t, path)
}
