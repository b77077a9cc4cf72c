package peer

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/quollhq/quoll/internal/peer/wire"
)

// portPause is the time between two tries to listen where a configuration says.
const portPause = time.Second

// port is where this member accepts others. A reconfiguration can move it.
type port struct {
	what   string
	first  net.Listener       // nil if it is closed at first
	serve  func(net.Listener) // until the listener is closed
	listen Listen             // nil if the port stays
	log    *slog.Logger
	moved  chan []wire.Address // the newest place, none to be closed
}

func newPort(what string, first net.Listener, serve func(net.Listener), listen Listen, log *slog.Logger) *port {
	return &port{what: what, first: first, serve: serve, listen: listen, log: log, moved: make(chan []wire.Address, 1)}
}

// move has run listen at other addresses, or nowhere. The loop calls it.
func (p *port) move(to []wire.Address) {
	if p.listen == nil {
		return
	}
	select {
	case <-p.moved: // it was not taken, and is old by now
	default:
	}
	p.moved <- to
}

// run serves the port, wherever it is, until ctx ends. Connections that were accepted stay when the port moves.
func (p *port) run(ctx context.Context) {
	l := p.first
	for ctx.Err() == nil {
		if l == nil {
			select {
			case to := <-p.moved:
				l = p.open(ctx, to)
			case <-ctx.Done():
			}
			continue
		}
		served := make(chan struct{})
		go func() { defer close(served); p.serve(l) }()
		select {
		case <-served:
			return
		case to := <-p.moved:
			l.Close()
			<-served
			l = p.open(ctx, to)
		case <-ctx.Done():
			l.Close()
			<-served
			return
		}
	}
	if l != nil { // the end came before it was served
		l.Close()
	}
}

// open listens at new addresses; while it cannot it tries again, since others look for the member there. It is nil if it is
// to be nowhere, and at the end of ctx.
func (p *port) open(ctx context.Context, to []wire.Address) net.Listener {
	timer := time.NewTimer(portPause)
	defer timer.Stop()
	for len(to) > 0 {
		l, err := p.listen(ctx, to)
		if err == nil {
			p.log.Info("a port for members is open", "of", p.what, "address", l.Addr().String())
			return l
		}
		p.log.Error("cannot listen for members; it is tried again", "of", p.what, "err", err)
		timer.Reset(portPause)
		select {
		case <-timer.C:
		case to = <-p.moved:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}
