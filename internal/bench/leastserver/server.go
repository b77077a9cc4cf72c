// Package leastserver is the least that a Go server can do for a ZooKeeper
// client on a machine: it takes frames from a connection, makes the writes
// durable with one shared fdatasync, and replies. It has no tree, no sessions,
// no watches and no checks, so what it reaches is the limit that a real server
// is measured against.
//
// One goroutine per connection reads every frame that has arrived. Replies to
// reads leave at once, in one write per drained input. A batch that holds a
// write goes to the log together with its replies; the log goroutine writes
// and syncs everything that queued up while the previous sync ran, and the
// flushing goroutine sends the replies while the next sync runs.
package leastserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
)

// Config says what to serve from.
type Config struct {
	// Dir is where the log file is made; it is removed at the end.
	Dir string
	// ValueSize is how many bytes every get is answered with.
	ValueSize int
}

// Server answers requests without knowing anything. It is made by New and
// runs in Serve.
type Server struct {
	log      *groupLog
	value    []byte
	sessions atomic.Int64
}

// New prepares the log file. The caller ends with Close.
func New(cfg Config) (*Server, error) {
	if cfg.ValueSize < 0 || cfg.ValueSize > maxFrame/2 {
		return nil, fmt.Errorf("value size %d is not within 0..%d", cfg.ValueSize, maxFrame/2)
	}
	log, err := openLog(cfg.Dir)
	if err != nil {
		return nil, err
	}
	return &Server{log: log, value: make([]byte, cfg.ValueSize)}, nil
}

// Close removes the log file. Serve must have returned.
func (s *Server) Close() error { return s.log.remove() }

// Serve answers connections of ln until ctx ends, and waits for every
// goroutine that it started. It closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var conns, log sync.WaitGroup
	log.Go(func() {
		if err := s.log.run(); err != nil {
			cancel(err)
		}
	})
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	for {
		nc, err := ln.Accept()
		if err != nil {
			if ctx.Err() == nil {
				cancel(fmt.Errorf("accept: %w", err))
			}
			break
		}
		conns.Go(func() { s.serveConn(ctx, nc) })
	}
	conns.Wait()
	s.log.close()
	log.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// serveConn reads until the client leaves or ctx ends.
func (s *Server) serveConn(ctx context.Context, nc net.Conn) {
	defer nc.Close()
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	c := &conn{server: s, nc: nc, in: make([]byte, 16<<10)}
	if err := c.handshake(); err != nil {
		return
	}
	c.serve()
}
