package request

import (
	"errors"
	"maps"
	"time"

	"github.com/quollhq/quoll/internal/tree"
)

// ErrReplacing is the answer to whoever wants to replace the state while
// somebody else does.
var ErrReplacing = errors.New("the state is being replaced already")

// ErrUncertain marks an error of Replacement.Persist after which the disk may
// hold either state. The pipeline fails with it: a start finds out.
var ErrUncertain = errors.New("what the disk holds is unknown")

// Replacement is a state that is to take the place of the current one.
type Replacement struct {
	// Tree is taken over. It has no Views, and nobody else has it.
	Tree *tree.Tree
	// Sessions are the new state's, with their time-outs in milliseconds; taken over.
	Sessions map[int64]int32
	// Now is the sessions' clock, in milliseconds.
	Now func() int64
	// Persist makes the state durable, so that a start finds it instead of the
	// current one, and lets the log go on behind its zxid. It closes the View. An
	// error leaves everything as it is. The writer calls it: no write is
	// in flight, and none begins; reads go on.
	Persist func(Frozen) error
}

// Replace waits for the writes in flight, makes r durable, and puts it in the
// place of the state. Later writes wait meanwhile. Sessions that the new state
// does not have are closing afterwards; the caller should end all connections,
// whose clients know the old state. zxid is the new state's: its own, unless
// the old one was beyond it, for zxids never go back.
//
// The single writers stay single: the pipeline is empty and takes in nothing
// while the writer does the work.
func (e *Engine) Replace(r Replacement) (zxid int64, err error) {
	p := &e.pipe
	done := make(chan struct{})
	refused := p.queue.last(&submission{own: func(time.Time) {
		p.batch.after = func() {
			defer close(done)
			zxid, err = p.replace(&r)
			p.queue.resume()
		}
	}})
	if refused != nil {
		return 0, refused
	}
	select {
	case <-done:
		return zxid, err
	case <-p.over:
		select {
		case <-done:
			return zxid, err
		default:
			return 0, ErrClosed
		}
	}
}

// replace is called by the writer when nothing is in flight.
func (p *pipeline) replace(r *Replacement) (int64, error) {
	e := p.e
	zxid := r.Tree.Zxid()
	if now := e.Tree.Zxid(); zxid <= now {
		zxid = now + 1
	}
	r.Tree.Lock()
	r.Tree.SetZxid(zxid)
	frozen := Frozen{View: r.Tree.Freeze(), Sessions: maps.Clone(r.Sessions)}
	r.Tree.Unlock()
	if err := r.Persist(frozen); err != nil {
		if errors.Is(err, ErrUncertain) {
			p.fail(err)
		}
		return 0, err
	}
	e.Tree.Lock()
	e.Tree.Swap(r.Tree)
	gone := p.swapSessions(r)
	e.zxid.Store(zxid)
	p.commit.plan() // what was put off was of the state before
	e.Tree.Unlock()
	r.Tree.Close()

	p.prep.overlay = newOverlay()
	p.prep.zxid, p.prep.digest = zxid, e.Tree.Digest()
	for _, id := range gone {
		if e.SessionClosed != nil {
			e.SessionClosed(id)
		}
	}
	return zxid, nil
}

// swapSessions makes r's sessions the server's, and gives those that are gone.
// The tree's lock is held.
func (p *pipeline) swapSessions(r *Replacement) (gone []int64) {
	e := p.e
	for id := range e.Live {
		if _, stays := r.Sessions[id]; !stays {
			e.Sessions.Remove(id)
			gone = append(gone, id)
		}
	}
	now := r.Now()
	for id, timeout := range r.Sessions {
		e.Sessions.Commit(id, timeout, now)
	}
	e.Live = r.Sessions
	return gone
}
