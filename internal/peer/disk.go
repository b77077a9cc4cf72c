package peer

import (
	"context"
	"errors"
	"fmt"

	"github.com/quollhq/quoll/internal/failpoint"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/zab"
)

// write is something for the disk.
type write struct {
	zab.Write
	// batches are those of the transactions that this leader has proposed, in order: they are in the form of the log.
	batches []Batch
	size    int // of what counts for the budget
	roll    bool
}

// disk does the writes, in order.
type disk struct {
	p     *Peer
	store *storage.Store
	jobs  *queue[write]

	buf         []byte // records of transactions that came from a leader
	first, last int64  // zxids in buf, or of a batch
	n           int
}

// run does what has queued up, syncs once, and tells the loop.
func (d *disk) run() {
	for d.jobs.await() {
		jobs := d.jobs.take()
		err := d.do(jobs)
		if err != nil {
			d.drop(jobs)
			d.p.inbox.push(func() { d.p.loop.fail(err) })
			return
		}
		failpoint.Pass(failpoint.Acknowledge)
		d.p.carry(func() { d.p.loop.stored(jobs) })
		for i := range jobs {
			d.p.waiting.sub(jobs[i].size)
		}
	}
}

// drop gives up states that will not be put in force.
func (d *disk) drop(jobs []write) {
	for i := range jobs {
		if r, ok := jobs[i].Snapshot.(*received); ok && !r.installed {
			r.Close()
		}
	}
}

func (d *disk) do(jobs []write) error {
	n := 0
	for i := range jobs {
		if err := d.one(&jobs[i]); err != nil {
			return err
		}
		if jobs[i].Kind == zab.WriteAppend {
			n += len(jobs[i].Entries)
		}
	}
	if err := d.sync(); err != nil {
		return err
	}
	if n > 0 {
		d.p.Metrics.Synced.Add(int64(n))
	}
	return nil
}

// one does a write. What it only appends is durable with the next sync; anything else becomes so at once, and after
// all that was appended before.
func (d *disk) one(w *write) error {
	if w.roll {
		return d.store.Log().Roll()
	}
	if err := failpoint.Hit(writePoint(w.Kind)); err != nil {
		return err
	}
	if w.Kind == zab.WriteAppend {
		return d.append(w)
	}
	if w.Kind == zab.WriteNothing {
		return nil
	}
	if err := d.sync(); err != nil {
		return err
	}
	switch w.Kind {
	case zab.WriteAccepted:
		return errors.Join(d.store.WriteEpoch(storage.AcceptedEpoch, w.Epoch), failpoint.Hit(failpoint.SyncPromise))
	case zab.WriteCurrent:
		return d.store.WriteEpoch(storage.CurrentEpoch, w.Epoch)
	case zab.WriteTruncate:
		return d.truncate(w.Zxid, w.Reload)
	case zab.WriteSnapshot:
		return d.install(w.Zxid, w.Snapshot.(*received))
	case zab.WriteLastSeen, zab.WriteActive:
		return d.saveConfig(w)
	}
	return fmt.Errorf("a write of an unknown kind, %v", w.Kind)
}

// append puts transactions behind the log: those of a leader as they are, those from a leader framed.
func (d *disk) append(w *write) error {
	batches := w.batches
	for i := 0; i < len(w.Entries); {
		if len(batches) > 0 && storage.Zxid(storage.Entry(batches[0].Records, 0)) == w.Entries[i].Zxid {
			if err := d.flush(); err != nil {
				return err
			}
			n := count(batches[0].Records)
			if err := d.store.Log().Append(batches[0].Records, w.Entries[i].Zxid, w.Entries[i+n-1].Zxid, n); err != nil {
				return err
			}
			batches, i = batches[1:], i+n
			continue
		}
		d.frame(&w.Entries[i])
		i++
		if len(d.buf) >= maxFrame {
			if err := d.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

const (
	// maxFrame is about how many bytes are appended to the log at once.
	maxFrame = 1 << 20
	// markerRoom is room for what the log writes behind a batch.
	markerRoom = 1 << 10
)

// count is how many records there are.
func count(records []byte) (n int) {
	for at := 0; at < len(records); n++ {
		at += storage.RecordLen(len(storage.Entry(records, at)))
	}
	return n
}

func (d *disk) frame(e *zab.Entry) {
	if d.n == 0 {
		d.first = e.Zxid
	}
	d.last = e.Zxid
	d.n++
	buf, mark := storage.BeginRecord(d.buf)
	d.buf = storage.EndRecord(append(buf, e.Data...), mark)
}

// flush appends what was framed.
func (d *disk) flush() error {
	if d.n == 0 {
		return nil
	}
	if cap(d.buf)-len(d.buf) < markerRoom {
		d.buf = append(d.buf, make([]byte, markerRoom)...)[:len(d.buf)]
	}
	err := d.store.Log().Append(d.buf, d.first, d.last, d.n)
	d.buf, d.n = d.buf[:0], 0
	if cap(d.buf) > 4*maxFrame {
		d.buf = nil
	}
	return err
}

func (d *disk) sync() error {
	if err := d.flush(); err != nil {
		return err
	}
	return d.store.Log().Sync()
}

// errCannotCut tells an operator what to do.
var errCannotCut = errors.New("the log holds transactions that were never committed and cannot be cut back to what was, since no snapshot is as old; " +
	"move the data directory away and start the member empty: it copies everything from the leader")

// truncate cuts the log and opens what is left. If the end was applied, the state goes back to what is left, too.
func (d *disk) truncate(zxid int64, reload bool) error {
	last := d.store.Log().SyncedZxid()
	if err := d.store.Truncate(zxid); err != nil {
		if errors.Is(err, storage.ErrUnavailable) {
			return fmt.Errorf("%w: %w", errCannotCut, err)
		}
		return err
	}
	if last > zxid {
		d.p.log.Info("the log was cut: what followed was never committed", "zxid", hex(zxid))
	} else {
		d.p.log.Info("the state is made anew from the log", "zxid", hex(zxid))
	}
	state := d.p.cfg.Machine.NewState()
	loaded, err := d.store.Load(context.Background(), state, state.Apply)
	if err == nil && loaded.LastZxid != zxid {
		err = fmt.Errorf("the log was cut after 0x%x, and ends with 0x%x", uint64(zxid), uint64(loaded.LastZxid))
	}
	if err != nil || !reload {
		state.Close()
		return err
	}
	state.Loaded(loaded)
	d.p.machine.push(job{restore: state})
	return nil
}

// install replaces log and state by a leader's. The snapshot is there before anything is removed: a crash between the
// two leaves the old log, whose end the next leader knows to cut.
func (d *disk) install(zxid int64, r *received) error {
	digest, ok := r.state.Digest(zxid)
	info, err := r.file.Finish(digest, ok)
	if err != nil {
		return err
	}
	r.installed = true
	if d.store.Log().SyncedZxid() > zxid {
		r.state.Close()
		return d.truncate(zxid, true)
	}
	d.store.Log().Jump(zxid)
	r.state.Loaded(storage.Loaded{Snapshot: &info, LastZxid: zxid})
	d.p.machine.push(job{restore: r.state})
	return nil
}

func (d *disk) saveConfig(w *write) error {
	if d.p.cfg.SaveConfig == nil {
		return nil
	}
	m, err := d.p.parse(w.Config)
	if err != nil {
		return err
	}
	return d.p.cfg.SaveConfig(w.Kind == zab.WriteActive, m)
}
