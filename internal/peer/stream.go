package peer

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/quollhq/quoll/internal/failpoint"
	"github.com/quollhq/quoll/internal/peer/link"
	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/storage"
)

// errNoState is for a state that nobody will make any more.
var errNoState = errors.New("there is no state to send")

// future is a state that is frozen once the machine has come there.
type future struct {
	ready chan Frozen
	gone  chan struct{} // closed when nobody wants it any more
}

func newFuture() *future { return &future{ready: make(chan Frozen, 1), gone: make(chan struct{})} }

// set hands the state over.
func (f *future) set(state Frozen) {
	select {
	case <-f.gone:
		state.Close()
		return
	default:
	}
	f.ready <- state
	select {
	case <-f.gone: // meanwhile; whoever takes it closes it
		f.drop()
	default:
	}
}

func (f *future) drop() {
	select {
	case state := <-f.ready:
		state.Close()
	default:
	}
}

// stateStream is a state on its way to a learner, behind SNAP.
type stateStream struct {
	p     *Peer
	state *future
	conn  *link.Conn
	sid   int64 // of the learner
}

// WriteTo implements io.WriterTo.
func (s *stateStream) WriteTo(w io.Writer) (int64, error) {
	if err := failpoint.Hit(failpoint.StateSend); err != nil {
		return 0, err
	}
	var state Frozen
	select {
	case state = <-s.state.ready:
	case <-s.conn.Done():
		return 0, errNoState
	case <-s.p.stopped:
		return 0, errNoState
	}
	defer state.Close()
	w = &heardWriter{w: w, heard: func() { handler{s.p}.heard(s.conn) }}
	var info storage.SnapshotInfo
	if err := storage.EncodeState(w, state, &info); err != nil {
		return 0, err
	}
	s.p.log.Info("a state was sent to a learner", "sid", s.sid, "zxid", hex(state.Zxid()), "nodes", info.Nodes)
	n, err := w.Write(wire.AppendSignature(nil))
	return int64(n), err
}

// Close implements io.Closer.
func (s *stateStream) Close() error {
	close(s.state.gone)
	s.state.drop()
	return nil
}

// replayStream is a part of the log on its way to a learner.
type replayStream struct {
	reader *storage.Reader
	upTo   int64
	// brought counts what was sent.
	brought *atomic.Int64
}

// WriteTo implements io.WriterTo.
func (s *replayStream) WriteTo(w io.Writer) (int64, error) {
	if err := failpoint.Hit(failpoint.ReplaySend); err != nil {
		return 0, err
	}
	out := bufio.NewWriterSize(w, 64<<10)
	var b []byte
	for s.reader.Zxid() < s.upTo {
		entry, err := s.reader.Next()
		if err != nil {
			return 0, fmt.Errorf("the log for a learner: %w", err)
		}
		zxid := s.reader.Zxid()
		b = wire.AppendCommit(wire.AppendProposal(b[:0], zxid, entry), zxid)
		if _, err := out.Write(b); err != nil {
			return 0, err
		}
		s.brought.Add(1)
	}
	return 0, out.Flush()
}

// Close implements io.Closer.
func (s *replayStream) Close() error { return s.reader.Close() }

func hex(zxid int64) string { return fmt.Sprintf("0x%x", uint64(zxid)) }
