package admin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync"
	"time"

	"github.com/quollhq/quoll/internal/tlsconf"
)

// web is the HTTP side of an Admin: its servers and the goroutines they own.
type web struct {
	tasks   sync.WaitGroup
	stop    context.CancelFunc
	servers []*http.Server
	addr    net.Addr // of the admin server
	metrics sync.Once
	handler http.Handler // of /metrics
}

// Start listens where the configuration says and serves in the background
// until Close. After an error Close must be called, too.
func (a *Admin) Start(ctx context.Context) error {
	ctx, a.http.stop = context.WithCancel(ctx)
	if a.Config.Admin.Enabled {
		if err := a.startAdmin(ctx); err != nil {
			return err
		}
	}
	if a.Config.Metrics.Prometheus {
		return a.startMetrics(ctx)
	}
	return nil
}

func (a *Admin) startAdmin(ctx context.Context) error {
	c := &a.Config.Admin
	sock, err := listen(ctx, c.Address.String())
	if err != nil {
		return fmt.Errorf("cannot listen for the admin server on %s (admin.serverPort; admin.enableServer=false does without it): %w", c.Address, err)
	}
	a.http.addr = sock.Addr()
	if c.Unified || c.ForceHTTPS {
		conf, err := a.openTLS(ctx, a.Config.AdminTLS())
		if err != nil {
			sock.Close()
			return fmt.Errorf("TLS of the admin server (ssl.quorum.*): %w", err)
		}
		if c.ForceHTTPS {
			sock = tls.NewListener(sock, conf)
		} else {
			sock = newUnified(sock, conf, a.Config.AdminTLS().HandshakeDetection, func() { a.fails.insecure.Add(1) })
		}
	}
	a.serve(sock, a.routes(), c.IdleTimeout)
	a.Logger.Info("admin server is listening", "address", a.http.addr.String(), "commands", c.CommandURL)
	return nil
}

// startMetrics serves the ports of the Prometheus provider.
func (a *Admin) startMetrics(ctx context.Context) error {
	c := &a.Config.Metrics
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", a.serveMetrics)
	if c.HTTP.Enabled {
		sock, err := listen(ctx, c.HTTP.String())
		if err != nil {
			return fmt.Errorf("cannot listen for metrics on %s (metricsProvider.httpPort): %w", c.HTTP, err)
		}
		a.serve(sock, mux, a.Config.Admin.IdleTimeout)
	}
	if c.HTTPS.Enabled {
		conf, err := a.openTLS(ctx, c.TLS)
		if err != nil {
			return fmt.Errorf("TLS of metrics (metricsProvider.ssl.*): %w", err)
		}
		sock, err := listen(ctx, c.HTTPS.String())
		if err != nil {
			return fmt.Errorf("cannot listen for metrics on %s (metricsProvider.httpsPort): %w", c.HTTPS, err)
		}
		a.serve(tls.NewListener(sock, conf), mux, a.Config.Admin.IdleTimeout)
	}
	return nil
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
}

// openTLS reads the stores and keeps watching them until ctx ends.
func (a *Admin) openTLS(ctx context.Context, o tlsconf.Options) (*tls.Config, error) {
	source, err := tlsconf.Open(o, a.Logger)
	if err != nil {
		return nil, err
	}
	a.task(func() { source.Watch(ctx) })
	conf, err := source.Server()
	if err != nil {
		return nil, err
	}
	conf.NextProtos = []string{"h2", "http/1.1"}
	return conf, nil
}

func (a *Admin) task(f func()) {
	a.http.tasks.Add(1)
	go func() {
		defer a.http.tasks.Done()
		f()
	}()
}

// headerTimeout is how long a request's header may take to arrive.
const headerTimeout = 10 * time.Second

func (a *Admin) serve(sock net.Listener, h http.Handler, idle time.Duration) {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idle, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(a.Logger.Handler(), slog.LevelDebug),
	}
	a.http.servers = append(a.http.servers, s)
	a.task(func() {
		if err := s.Serve(sock); err != nil && !errors.Is(err, http.ErrServerClosed) {
			a.Logger.Error("the admin server has ended", "address", sock.Addr().String(), "error", err)
		}
	})
}

// Addr is where the admin server listens, nil if it does not.
func (a *Admin) Addr() net.Addr { return a.http.addr }

// Close ends the HTTP servers: requests under way may finish until ctx is done.
func (a *Admin) Close(ctx context.Context) {
	for _, s := range a.http.servers {
		if err := s.Shutdown(ctx); err != nil {
			s.Close()
		}
	}
	if a.http.stop != nil {
		a.http.stop()
	}
	a.http.tasks.Wait()
}

// routes is what the admin server serves.
func (a *Admin) routes() http.Handler {
	mux := http.NewServeMux()
	base := "/" + strings.Trim(a.Config.Admin.CommandURL, "/")
	mux.HandleFunc(base, a.serveCommand)
	if base != "/" {
		mux.HandleFunc(base+"/", a.serveCommand)
		mux.HandleFunc("GET /{$}", a.servePage)
	}
	mux.HandleFunc("GET /livez", a.serveLive)
	mux.HandleFunc("GET /readyz", a.serveReady)
	mux.HandleFunc("GET /metrics", a.serveMetrics)
	mux.Handle("GET /debug/pprof/", localOnly(http.HandlerFunc(pprof.Index)))
	mux.Handle("GET /debug/pprof/cmdline", localOnly(http.HandlerFunc(pprof.Cmdline)))
	mux.Handle("GET /debug/pprof/profile", localOnly(http.HandlerFunc(pprof.Profile)))
	mux.Handle("GET /debug/pprof/symbol", localOnly(http.HandlerFunc(pprof.Symbol)))
	mux.Handle("GET /debug/pprof/trace", localOnly(http.HandlerFunc(pprof.Trace)))
	return secured(mux)
}

// secured tells browsers that came by TLS to stay with it, as Apache does.
func secured(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil {
			w.Header().Set("Strict-Transport-Security", "max-age=86400; includeSubDomains")
		}
		h.ServeHTTP(w, r)
	})
}

// localOnly lets only requests from this machine pass that no proxy forwarded.
func localOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		ip := net.ParseIP(host)
		if err != nil || ip == nil || !ip.IsLoopback() || r.Header.Get("X-Forwarded-For") != "" {
			http.Error(w, "profiles are for requests from the server's own machine", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// serveCommand runs commands, and lists them when none is named.
func (a *Admin) serveCommand(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	case http.MethodTrace:
		w.WriteHeader(http.StatusForbidden)
		return
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	base := "/" + strings.Trim(a.Config.Admin.CommandURL, "/")
	name := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, base), "/")
	if name == "" {
		a.listCommands(w)
		return
	}
	c := &call{
		ctx: r.Context(), args: r.URL.Query(), body: r.Body,
		header: r.Header.Get("Authorization"), peer: a.peerOf(r),
	}
	a.send(w, a.run(name, r.Method == http.MethodPost, c))
}

func (a *Admin) listCommands(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	for _, name := range primaryNames() {
		fmt.Fprintf(w, "<a href=\"%s/%s\">%s</a>\n<br/>\n", strings.TrimSuffix(a.Config.Admin.CommandURL, "/"), name, name)
	}
}

func (a *Admin) send(w http.ResponseWriter, r *response) {
	for key, value := range r.header {
		// Not Set: Apache's names are in small letters, and scripts look for them.
		w.Header()[key] = []string{value}
	}
	if r.stream != nil {
		defer r.stream.Close()
		w.Header().Set("Content-Type", "application/octet-stream")
		w.WriteHeader(r.status)
		if _, err := io.Copy(w, r.stream); err != nil {
			a.Logger.Warn("cannot send a snapshot", "error", err)
		}
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(r.status)
	if _, err := w.Write(r.json()); err != nil {
		a.Logger.Debug("cannot answer an admin command", "command", r.command, "error", err)
	}
}
