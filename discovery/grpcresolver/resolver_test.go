package grpcresolver_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/status"

	"github.com/quollhq/quoll/discovery"
	"github.com/quollhq/quoll/discovery/grpcresolver"
	"github.com/quollhq/quoll/internal/servertest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serve runs a gRPC server with the health service.
func serve(t *testing.T, opts ...grpc.ServerOption) (address string, port int, h *health.Server) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s, h := grpc.NewServer(opts...), health.NewServer()
	healthpb.RegisterHealthServer(s, h)
	ended := make(chan error)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Stop()
		<-ended
	})
	addr := l.Addr().(*net.TCPAddr)
	return addr.IP.String(), addr.Port, h
}

func TestCheck(t *testing.T) {
	ctx := servertest.Context(t)
	host, port, h := serve(t)
	address := (&net.TCPAddr{IP: net.ParseIP(host), Port: port}).String()
	must(t, discovery.GRPCCheck(address, "")(ctx))
	h.SetServingStatus("orders", healthpb.HealthCheckResponse_SERVING)
	check := discovery.GRPCCheck(address, "orders")
	must(t, check(ctx))
	h.SetServingStatus("orders", healthpb.HealthCheckResponse_NOT_SERVING)
	if err := check(ctx); err == nil {
		t.Error("it is not serving")
	}
	if err := discovery.GRPCCheck(address, "unknown")(ctx); err == nil || !strings.Contains(err.Error(), `"5"`) {
		t.Errorf("error %v, want the status NotFound", err)
	}
	if err := discovery.GRPCCheck(address, strings.Repeat("x", 128))(ctx); !errors.Is(err, discovery.ErrInvalid) {
		t.Errorf("error %v", err)
	}
}

func TestCheckByTLS(t *testing.T) {
	ctx := servertest.Context(t)
	known := httptest.NewTLSServer(nil) // for its certificate
	defer known.Close()
	authorities := x509.NewCertPool()
	authorities.AddCert(known.Certificate())
	host, port, _ := serve(t, grpc.Creds(credentials.NewServerTLSFromCert(&known.TLS.Certificates[0])))
	address := (&net.TCPAddr{IP: net.ParseIP(host), Port: port}).String()
	must(t, discovery.GRPCTLSCheck(&tls.Config{RootCAs: authorities}, address, "")(ctx))
	var unknown x509.UnknownAuthorityError
	if err := discovery.GRPCTLSCheck(nil, address, "")(ctx); !errors.As(err, &unknown) {
		t.Errorf("with a certificate that nobody knows: %v", err)
	}
	if err := discovery.GRPCCheck(address, "")(ctx); err == nil {
		t.Error("without TLS it passes")
	}
}

// Calls go to all instances in turn, to those that are left, and to new ones.
func TestResolver(t *testing.T) {
	ctx := servertest.Context(t)
	d := discovery.New(servertest.Dial(t, servertest.Start(t)))
	register := func(id string) (*discovery.Registration, string) {
		host, port, _ := serve(t)
		r, err := d.Register(ctx, discovery.Instance{Service: "team/orders", ID: id, Address: host, Port: port})
		must(t, err)
		return r, r.Instance().HostPort()
	}
	first, a := register("a")
	_, b := register("b")
	conn, err := grpc.NewClient("quoll:///team/orders", grpc.WithResolvers(grpcresolver.New(d)),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	defer conn.Close()
	awaitCalls(ctx, t, conn, a, b)
	must(t, first.Drain())
	awaitCalls(ctx, t, conn, b)
	must(t, first.Close(ctx))
	_, c := register("c")
	awaitCalls(ctx, t, conn, b, c)
}

// awaitCalls calls until ten calls in a row have gone to exactly these.
func awaitCalls(ctx context.Context, t *testing.T, conn *grpc.ClientConn, want ...string) {
	t.Helper()
	for {
		got := make(map[string]bool)
		for range 10 {
			var from peer.Peer
			_, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{},
				grpc.Peer(&from), grpc.WaitForReady(true))
			must(t, err)
			got[from.Addr.String()] = true
		}
		right := len(got) == len(want)
		for _, address := range want {
			right = right && got[address]
		}
		if right {
			return
		}
	}
}

func TestNobody(t *testing.T) {
	d := discovery.New(servertest.Dial(t, servertest.Start(t)))
	conn, err := grpc.NewClient("quoll:///nobody", grpc.WithResolvers(grpcresolver.New(d)),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("error %v", err)
	}
	_, err = grpcresolver.New(d).Build(resolver.Target{URL: url.URL{Scheme: "quoll", Path: "/"}}, nil, resolver.BuildOptions{})
	if err == nil {
		t.Error("a target without a service")
	}
}

func TestInstance(t *testing.T) {
	if in, ok := grpcresolver.Instance(resolver.Endpoint{}); ok {
		t.Errorf("%+v", in)
	}
}
