package server

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/request"
	"github.com/quollhq/quoll/internal/tree"
	"github.com/quollhq/quoll/internal/txn"
)

// TestUnsound flips a bit of a znode's data in memory: the state is not written any more.
func TestUnsound(t *testing.T) {
	st := newState(tree.Options{}, slog.New(slog.DiscardHandler))
	defer st.drop()
	tx := txn.Txn{Header: txn.Header{Zxid: 1, Type: proto.OpCreate}}
	tx.Body = txn.Body{Type: proto.OpCreate, Path: "/z", Data: []byte("data"), ACL: proto.AppendACLs(nil, proto.OpenACL()), ParentCversion: 1}
	if err := st.apply(tx.Append(nil)); err != nil {
		t.Fatal(err)
	}
	st.tree.Lock()
	view := st.tree.Freeze()
	st.tree.Unlock()
	defer view.Close()
	source := &frozenSource{f: request.Frozen{View: view}, digest: true}
	flip := func(path string, data []byte, _ int64, _ *proto.StatPersisted) error {
		if path == "/z" {
			data[0] ^= 1
		}
		return nil
	}
	look := func(string, []byte, int64, *proto.StatPersisted) error { return nil }
	if err := source.Walk(look); err != nil {
		t.Fatal(err)
	}
	if err := view.Walk(flip); err != nil {
		t.Fatal(err)
	}
	if err := source.Walk(look); !errors.Is(err, errUnsound) {
		t.Errorf("a state that has changed by itself: %v", err)
	}
	if err := view.Walk(flip); err != nil {
		t.Fatal(err)
	}
	if err := source.Walk(look); err != nil {
		t.Error(err)
	}
}

// TestDigestsAreHexadecimal: operators compare the lines about one difference with each other.
func TestDigestsAreHexadecimal(t *testing.T) {
	var log bytes.Buffer
	st := newState(tree.Options{}, slog.New(slog.NewTextHandler(&log, nil)))
	defer st.drop()
	tx := txn.Txn{Header: txn.Header{Zxid: 1, Type: proto.OpCreate}, HasDigest: true, DigestVersion: 2, TreeDigest: 0xabc0}
	tx.Body = txn.Body{Type: proto.OpCreate, Path: "/z", ACL: proto.AppendACLs(nil, proto.OpenACL()), ParentCversion: 1}
	if err := st.apply(tx.Append(nil)); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("disk=abc0 tree=%x", st.tree.Digest()); !strings.Contains(log.String(), want) {
		t.Errorf("logged %q, want %s", log.String(), want)
	}
}
