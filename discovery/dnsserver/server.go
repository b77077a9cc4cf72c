package dnsserver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/quollhq/quoll/balance"
	"github.com/quollhq/quoll/discovery"
)

// Option changes how a Server works.
type Option func(*Server)

// WithLogger logs failures. Default, and if log is nil: no log.
func WithLogger(log *slog.Logger) Option {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return func(s *Server) { s.log = log }
}

// Server answers queries.
type Server struct {
	d      *discovery.Discovery
	pool   *discovery.Pool
	domain []string // labels, in lower case
	log    *slog.Logger
}

// Bounds.
const (
	udpWorkers   = 8                // queries by UDP at a time
	maxStreams   = 128              // connections by TCP at a time
	queryTime    = 5 * time.Second  // for one answer
	idleTime     = 10 * time.Second // of a connection
	maxUDPAnswer = 1232             // bytes: what passes without fragments
	minUDPAnswer = 512              // bytes: what a client that says nothing takes
	maxTCPAnswer = 65535
)

// New makes a server for the names below a domain.
func New(d *discovery.Discovery, domain string, opts ...Option) *Server {
	s := &Server{d: d, log: slog.New(slog.DiscardHandler)}
	for label := range strings.SplitSeq(strings.ToLower(domain), ".") {
		if label != "" {
			s.domain = append(s.domain, label)
		}
	}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// ListenAndServe answers at an address, by UDP and TCP, until ctx ends.
func (s *Server) ListenAndServe(ctx context.Context, address string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("dnsserver: %w", err)
	}
	defer l.Close()
	p, err := new(net.ListenConfig).ListenPacket(ctx, "udp", l.Addr().String())
	if err != nil {
		return fmt.Errorf("dnsserver: %w", err)
	}
	defer p.Close()
	return s.Serve(ctx, p, l)
}

// Serve answers until ctx ends, closes both and returns ctx's error, or what made
// it end earlier. It is called once.
func (s *Server) Serve(ctx context.Context, packets net.PacketConn, streams net.Listener) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	s.pool = s.d.Pool(balance.Random)
	defer s.pool.Close()
	stop := context.AfterFunc(ctx, func() { closeAll(packets, streams) })
	defer stop()
	var running sync.WaitGroup
	for range udpWorkers {
		running.Go(func() { end(s.servePackets(ctx, packets)) })
	}
	running.Go(func() { end(s.serveStreams(ctx, streams)) })
	running.Wait()
	return fmt.Errorf("dnsserver: %w", context.Cause(ctx))
}

func closeAll(all ...io.Closer) {
	for _, c := range all {
		_ = c.Close() // whoever uses it is told
	}
}

func (s *Server) servePackets(ctx context.Context, conn net.PacketConn) error {
	query := make([]byte, maxTCPAnswer)
	for {
		n, from, err := conn.ReadFrom(query)
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil {
			continue // an answer to somebody who has gone
		}
		if answer := s.reply(ctx, query[:n], false); answer != nil {
			if _, err := conn.WriteTo(answer, from); err != nil && !errors.Is(err, net.ErrClosed) {
				s.log.Warn("answer not sent", "to", from, "error", err)
			}
		}
	}
}

func (s *Server) serveStreams(ctx context.Context, l net.Listener) error {
	var running sync.WaitGroup
	defer running.Wait()
	free := make(chan struct{}, maxStreams)
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		select {
		case free <- struct{}{}:
		default:
			_ = conn.Close() // too many
			continue
		}
		running.Go(func() {
			defer func() { <-free }()
			s.serveStream(ctx, conn)
		})
	}
}

// serveStream answers the queries of a connection, each with its length before it.
func (s *Server) serveStream(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { closeAll(conn) })
	defer stop()
	for {
		if conn.SetDeadline(time.Now().Add(idleTime)) != nil {
			return
		}
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		answer := s.reply(ctx, query, true)
		if answer == nil {
			return
		}
		out := append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

func (s *Server) reply(ctx context.Context, query []byte, stream bool) []byte {
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	return answer(ctx, s, query, stream)
}
