package storage_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/storage"
)

// nothing is a sink that keeps nothing.
type nothing struct{ nodes int }

func (n *nothing) Begin() error                       { return nil }
func (n *nothing) AddSession(int64, int32) error      { return nil }
func (n *nothing) AddACL(int64, []byte) error         { return nil }
func (n *nothing) Finish(*storage.SnapshotInfo) error { return nil }
func (n *nothing) AddNode(string, []byte, int64, *proto.StatPersisted) error {
	n.nodes++
	return nil
}

// BenchmarkSnapshot writes and reads snapshots of 100,000 nodes of 100 bytes.
func BenchmarkSnapshot(b *testing.B) {
	m := newModel(1, 0)
	for i := range 100000 {
		m.nodes = append(m.nodes, modelNode{path: fmt.Sprintf("/parent/node-%06d", i), data: make([]byte, 100), acl: -1})
	}
	for _, c := range []storage.Compression{storage.None, storage.Snappy, storage.Gzip} {
		var file bytes.Buffer
		info := storage.SnapshotInfo{Compression: c}
		b.Run("write/"+string(c), func(b *testing.B) {
			for b.Loop() {
				file.Reset()
				if err := storage.EncodeSnapshot(&file, m, &info, true, true); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(file.Len()))
		})
		info.Size = int64(file.Len())
		b.Run("read/"+string(c), func(b *testing.B) {
			for b.Loop() {
				if err := storage.DecodeSnapshot(context.Background(), bytes.NewReader(file.Bytes()), &info, 1<<20, &nothing{}); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(info.Size)
		})
	}
}

// BenchmarkAppend writes batches of records of 200 bytes to a real disk, without and with the sync.
func BenchmarkAppend(b *testing.B) {
	for _, sync := range []bool{false, true} {
		for _, records := range []int{1, 100} {
			b.Run(fmt.Sprintf("sync=%v/records=%d", sync, records), func(b *testing.B) {
				s, _, _ := openLoaded(b, storage.Options{Dirs: storage.Dirs{Data: b.TempDir()}, NoSync: !sync})
				entry := testEntry(1, 130)
				zxid := int64(0)
				var buf []byte
				for b.Loop() {
					buf = buf[:0]
					first := zxid + 1
					for range records {
						zxid++
						buf = frame(buf, entry)
					}
					if err := s.Log().Append(buf, first, zxid, records); err != nil {
						b.Fatal(err)
					}
					if err := s.Log().Sync(); err != nil {
						b.Fatal(err)
					}
				}
				b.SetBytes(int64(len(buf)))
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}
