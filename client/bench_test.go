package client

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// echo serves one connection: every request is answered by the same body.
func echo(nc net.Conn, body []byte) {
	defer nc.Close()
	resp := proto.ConnectResponse{TimeOut: 30000, SessionID: 1, Passwd: make([]byte, 16), HasReadOnly: true}
	in := make([]byte, 0, 256<<10)
	var out []byte
	first := true
	for {
		n, err := nc.Read(in[len(in):cap(in)])
		if err != nil {
			return
		}
		in = in[:len(in)+n]
		out = out[:0]
		used := 0
		for len(in)-used >= 4 {
			d := jute.NewDecoder(in[used:])
			size := int(d.Int())
			if len(in)-used < 4+size {
				break
			}
			if first {
				out = resp.Append(jute.AppendInt(out, 37))
				first = false
			} else {
				xid := d.Int()
				out = jute.AppendInt(out, int32(16+len(body)))
				out = append(proto.ReplyHeader{Xid: xid, Zxid: 1}.Append(out), body...)
			}
			used += 4 + size
		}
		in = in[:copy(in, in[used:])]
		if _, err := nc.Write(out); err != nil {
			return
		}
	}
}

// BenchmarkGet reads 100 bytes from a server on the same machine that does
// nothing else, by several goroutines on one connection.
func BenchmarkGet(b *testing.B) {
	for _, callers := range []int{1, 16, 64, 256} {
		b.Run(map[int]string{1: "1", 16: "16", 64: "64", 256: "256"}[callers], func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			var server sync.WaitGroup
			server.Go(func() {
				if nc, err := l.Accept(); err == nil {
					echo(nc, getReply(string(make([]byte, 100))))
				}
			})
			c, err := Dial(context.Background(), l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for i := range callers {
				n := b.N / callers
				if i < b.N%callers {
					n++
				}
				wg.Go(func() {
					for range n {
						if _, _, err := c.Get(context.Background(), "/bench/node"); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			if err := c.Detach(); err != nil {
				b.Error(err)
			}
			l.Close()
			server.Wait()
		})
	}
}
