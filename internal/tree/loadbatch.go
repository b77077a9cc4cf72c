package tree

import (
	"fmt"

	"github.com/quollhq/quoll/internal/proto"
)

// loadBatch collects znodes that are linked to their parents but in neither the
// index nor the digest. Looking at the places of many in the index before
// changing any lets the processor wait for them all at once.
type loadBatch struct {
	items [loadBatchLen]loadItem
	n     int
	paths []byte
}

const loadBatchLen = 128

type loadItem struct {
	blob  blob
	st    proto.StatPersisted
	place place
	node  Node
	from  int // where the path stands in paths
	to    int
}

// add tells whether the batch is full.
func (b *loadBatch) add(t *Tree, n Node, h *header, path string, st *proto.StatPersisted) bool {
	it := &b.items[b.n]
	it.node, it.st = n, *st
	t.open(h.blob, &it.blob)
	it.from = len(b.paths)
	b.paths = append(b.paths, path...)
	it.to = len(b.paths)
	b.n++
	return b.n == loadBatchLen
}

func (b *loadBatch) path(it *loadItem) string { return aliasString(b.paths[it.from:it.to]) }

// digest sets the batch's checksums and returns the sum of its digests.
func (b *loadBatch) digest() uint64 {
	sum := uint64(0)
	for i := range b.items[:b.n] {
		it := &b.items[i]
		if path := b.path(it); counted(path) {
			crc := PrefixCRC(path, it.blob.data())
			*it.blob.crc() = crc
			sum += NodeDigest(crc, &it.st)
		}
	}
	return sum
}

func (b *loadBatch) reset() { b.n, b.paths = 0, b.paths[:0] }

// flush puts the batch into the index and the digest.
func (l *Loader) flush() {
	b := l.batch
	if b.n == 0 {
		return
	}
	l.indexBatch(b)
	switch {
	case l.t.opt.NoDigest:
		b.reset()
	case l.worker != nil:
		l.worker.full <- b
		l.batch = <-l.worker.free
	default:
		l.t.digest += b.digest()
		b.reset()
	}
}

func (l *Loader) indexBatch(b *loadBatch) {
	x := l.t.index
	touched := uint64(0)
	for i := range b.items[:b.n] {
		it := &b.items[i]
		it.place = x.place(b.path(it))
		if s := it.place.shard; s.n > 0 {
			touched |= s.slot(s.homeOf(it.place.tag))
		}
	}
	keep(touched)
	for i := range b.items[:b.n] {
		it := &b.items[i]
		if l.t.find(it.place, b.path(it)) != 0 {
			_ = l.fail(fmt.Errorf("%w: %q stands twice in the snapshot", ErrInvalid, b.path(it)))
			continue
		}
		x.insert(it.place, it.node)
	}
}

// loadWorker computes digests beside the goroutine that loads.
type loadWorker struct {
	full, free chan *loadBatch
	sum        chan uint64
}

// loadAhead is how many batches may wait for the worker.
const loadAhead = 8

// Parallel makes a goroutine compute the digests from now on. Finish and Abort
// wait for its end.
func (l *Loader) Parallel() {
	if l.worker != nil {
		return
	}
	w := &loadWorker{full: make(chan *loadBatch, loadAhead), free: make(chan *loadBatch, loadAhead), sum: make(chan uint64)}
	for range loadAhead {
		w.free <- new(loadBatch)
	}
	l.worker = w
	go w.run()
}

func (w *loadWorker) run() {
	sum := uint64(0)
	for b := range w.full {
		sum += b.digest()
		b.reset()
		w.free <- b
	}
	w.sum <- sum
}

func (l *Loader) stopWorker() {
	if l.worker == nil {
		return
	}
	close(l.worker.full)
	l.t.digest += <-l.worker.sum
	l.worker = nil
}
