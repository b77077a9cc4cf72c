package storage_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/iotest"

	"github.com/quollhq/quoll/internal/storage"
)

// A state is what stands between the header and the first checksum of a file that Apache's server wrote.
func TestState(t *testing.T) {
	d, opts := goldenDisk(t, "apache-3.9.4")
	m, _, err := load(opts)
	if err != nil {
		t.Fatal(err)
	}
	file, err := d.Content("/data/version-2/" + storage.SnapshotName(m.zxid, storage.None))
	if err != nil {
		t.Fatal(err)
	}
	var sent bytes.Buffer
	var info storage.SnapshotInfo
	if err := storage.EncodeState(&sent, m, &info); err != nil || info.Nodes != len(m.nodes) {
		t.Fatal(info, err)
	}
	const header = 16
	if !bytes.HasPrefix(file[header:], sent.Bytes()) {
		t.Fatal("not what is in the file")
	}
	got := &model{}
	info = storage.SnapshotInfo{Zxid: m.zxid}
	if err := storage.DecodeState(context.Background(), iotest.HalfReader(&sent), &info, 1<<20, got); err != nil {
		t.Fatal(err)
	}
	got.digest = m.digest // does not travel
	if got.content() != m.content() || info.Sessions != len(m.sessions) || info.HasDigest {
		t.Errorf("%+v", info)
	}
}

func TestStateIsRefused(t *testing.T) {
	var b bytes.Buffer
	if err := storage.EncodeState(&b, newModel(9, 3), &storage.SnapshotInfo{}); err != nil {
		t.Fatal(err)
	}
	decode := func(b []byte) error {
		m := &model{}
		err := storage.DecodeState(context.Background(), bytes.NewReader(b), &storage.SnapshotInfo{}, 1<<20, m)
		if err != nil && m.info != nil {
			t.Error("it was finished")
		}
		return err
	}
	whole := b.Bytes()
	for n := range len(whole) {
		if err := decode(whole[:n]); !errors.Is(err, storage.ErrDamaged) {
			t.Fatalf("%d bytes of %d: %v", n, len(whole), err)
		}
	}
	if err := decode(append(whole[:len(whole):len(whole)], 0)); !errors.Is(err, storage.ErrDamaged) {
		t.Errorf("a byte too many: %v", err)
	}
	broken := errors.New("the connection broke")
	if err := storage.DecodeState(context.Background(), iotest.ErrReader(broken), &storage.SnapshotInfo{}, 1<<20, &model{}); !errors.Is(err, broken) {
		t.Error(err)
	}
}
