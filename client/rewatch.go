package client

import "github.com/quollhq/quoll/internal/proto"

// maxSetWatches bounds the paths of one setWatches packet, in bytes, so that
// no server's limit of 1 MiB is met.
const maxSetWatches = 128 << 10

// setWatches queues what sets the client's watches on a new connection. Each
// packet tells the last change that the client has seen, so that the server
// can fire one-shot watches whose event was missed.
func (cn *conn) setWatches() {
	zxid := cn.c.lastZxid.Load()
	for _, batch := range cn.c.watches.batches() {
		op := proto.OpSetWatches
		if len(batch.streams) > 0 {
			op = proto.OpSetWatches2
		}
		batch.RelativeZxid = zxid
		cn.frame(proto.RequestHeader{Xid: proto.XidSetWatches, Op: op}, batch.Append(nil, op))
		cn.batches.push(batch.streams)
	}
}

type watchBatch struct {
	proto.SetWatches
	streams []*Watch // those that the persistent lists concern
	size    int
}

// batches cuts the table into packets.
func (t *watchTable) batches() []*watchBatch {
	t.mu.Lock()
	defer t.mu.Unlock()
	var done []*watchBatch
	b := &watchBatch{}
	add := func(list func(*watchBatch) *[]string, path string, ws []*Watch) {
		if b.size > 0 && b.size+len(path) > maxSetWatches {
			done, b = append(done, b), &watchBatch{}
		}
		l := list(b)
		*l = append(*l, path)
		b.streams = append(b.streams, ws...)
		b.size += len(path)
	}
	for k, list := range onceLists {
		for path := range t.once[k] {
			add(list, path, nil)
		}
	}
	for mode, list := range streamLists {
		for path, ws := range t.streams[mode] {
			add(list, path, ws)
		}
	}
	if b.size > 0 {
		done = append(done, b)
	}
	return done
}

var onceLists = [...]func(*watchBatch) *[]string{
	onceData:  func(b *watchBatch) *[]string { return &b.Data },
	onceExist: func(b *watchBatch) *[]string { return &b.Exist },
	onceChild: func(b *watchBatch) *[]string { return &b.Child },
}

var streamLists = [...]func(*watchBatch) *[]string{
	WatchNode: func(b *watchBatch) *[]string { return &b.Persistent },
	WatchTree: func(b *watchBatch) *[]string { return &b.PersistentRecursive },
}
