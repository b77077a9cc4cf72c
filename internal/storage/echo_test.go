package storage_test

import (
	"context"
	"errors"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/txn"
)

// errorEntry is a refused write.
func errorEntry(zxid int64) []byte {
	t := txn.Txn{Header: txn.Header{ClientID: 77, Zxid: zxid, Type: proto.OpError}}
	t.Body = txn.Body{Type: proto.OpError, Err: proto.MarshallingError}
	return t.Append(nil)
}

// Apache's server logs a write that it cannot decode as an error with the zxid of the transaction before. Such a log is
// whole; any other zxid that comes twice is damage.
func TestErrorsThatRepeatAZxid(t *testing.T) {
	for _, test := range []struct {
		name   string
		twice  []byte
		whole  bool
		loaded int
	}{
		{"error", errorEntry(2), true, 3},
		{"change", testEntry(2, 5), false, 0},
		{"earlier error", errorEntry(1), false, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, opts := goldenDisk(t, "apache-3.9.4")
			names, err := d.ReadDir("/data/version-2")
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range names {
				if name := file.Name(); name != "snapshot.0" {
					if err := d.Remove("/data/version-2/" + name); err != nil {
						t.Fatal(err)
					}
				}
			}
			log := []byte("ZKLG\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00")
			for _, entry := range [][]byte{testEntry(1, 3), testEntry(2, 4), test.twice, errorEntry(3)} {
				log = frame(log, entry)
			}
			if err := d.SetContent("/data/version-2/log.1", log); err != nil {
				t.Fatal(err)
			}
			sum, err := storage.ScanLog(context.Background(), d, "/data/version-2/log.1", nil)
			if err != nil || (sum.Damage == nil) != test.whole {
				t.Errorf("verified: %+v, %v", sum, err)
			}
			m, l, err := load(opts)
			if !test.whole {
				if !errors.Is(err, storage.ErrDamaged) {
					t.Fatal(err)
				}
				return
			}
			if err != nil || l.LastZxid != 3 || len(m.entries) != test.loaded {
				t.Fatalf("%+v, %d entries, %v", l, len(m.entries), err)
			}
		})
	}
}
