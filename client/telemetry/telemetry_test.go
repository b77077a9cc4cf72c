package telemetry_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/client/telemetry"
	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// serve answers a session's requests: there is no node but the root.
func serve(nc net.Conn) error {
	defer nc.Close()
	resp := proto.ConnectResponse{TimeOut: 30000, SessionID: 1, Passwd: make([]byte, 16), HasReadOnly: true}
	for first := true; ; first = false {
		head := make([]byte, 4)
		if _, err := io.ReadFull(nc, head); err != nil {
			return err
		}
		d := jute.NewDecoder(head)
		frame := make([]byte, d.Int())
		if _, err := io.ReadFull(nc, frame); err != nil {
			return err
		}
		var out []byte
		if first {
			out = resp.Append(nil)
		} else {
			d := jute.NewDecoder(frame)
			var h proto.RequestHeader
			h.Decode(&d)
			reply := proto.ReplyHeader{Xid: h.Xid, Zxid: 42}
			stat := (&proto.Stat{}).Append(nil)
			if h.Op == proto.OpExists && d.String() != "/" {
				reply.Err, stat = proto.NoNode, nil
			}
			out = append(reply.Append(nil), stat...)
		}
		if _, err := nc.Write(append(jute.AppendInt(nil, int32(len(out))), out...)); err != nil {
			return err
		}
	}
}

func TestTelemetry(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	reader := metric.NewManualReader()
	hooks, err := telemetry.Hooks(telemetry.Config{
		TracerProvider: trace.NewTracerProvider(trace.WithSpanProcessor(spans)),
		MeterProvider:  metric.NewMeterProvider(metric.WithReader(reader)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var server sync.WaitGroup
	c, err := client.Dial(ctx, "zk.example.com:2182", client.WithHooks(hooks), client.WithDialer(func(context.Context, string, string) (net.Conn, error) {
		mine, yours := net.Pipe()
		server.Go(func() { _ = serve(yours) }) // until the client is closed
		return mine, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	if _, found, err := c.Exists(ctx, "/"); err != nil || !found {
		t.Errorf("exists: %v, %v", found, err)
	}
	if _, found, err := c.Exists(ctx, "/none"); err != nil || found {
		t.Errorf("exists: %v, %v", found, err)
	}
	if err := c.Detach(); err != nil {
		t.Error(err)
	}
	if _, _, err := c.Exists(ctx, "/"); !errors.Is(err, client.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	server.Wait()

	ended := spans.Ended()
	if len(ended) != 3 {
		t.Fatalf("%d spans", len(ended))
	}
	for i, want := range []map[attribute.Key]attribute.Value{
		{"zookeeper.path": attribute.StringValue("/"), "server.address": attribute.StringValue("zk.example.com"), "server.port": attribute.IntValue(2182),
			"zookeeper.zxid": attribute.Int64Value(42), "db.system.name": attribute.StringValue("zookeeper")},
		{"zookeeper.path": attribute.StringValue("/none"), "error.type": {}},
		{"error.type": attribute.StringValue(client.ErrClosed.Error())},
	} {
		has := attribute.NewSet(ended[i].Attributes()...)
		for key, value := range want {
			if got, _ := has.Value(key); got != value {
				t.Errorf("span %d: %s is %v, want %v", i, key, got.Emit(), value.Emit())
			}
		}
		if failed := ended[i].Status().Code == codes.Error; failed != (i == 2) || ended[i].Name() != "exists" {
			t.Errorf("span %d: %s, %v", i, ended[i].Name(), ended[i].Status())
		}
	}
	var all metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &all); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					counts[m.Name] += int(p.Count)
				}
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					counts[m.Name] += int(p.Value)
				}
			}
		}
	}
	if counts["db.client.operation.duration"] != 3 || counts["zookeeper.client.state.changes"] != 2 {
		t.Errorf("counts %v", counts)
	}
}
