package datatool

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"time"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/storage"
)

// javaDate is how Java prints a Date.
const javaDate = "Mon Jan 02 15:04:05 MST 2006"

// visitor is a sink that looks at sessions, lists and nodes without keeping
// them; functions may be nil.
type visitor struct {
	session func(id int64, timeOut int32) error
	acl     func(id int64, acl []byte) error
	node    func(path string, data []byte, acl int64, stat *proto.StatPersisted) error
}

func (v *visitor) Begin() error                       { return nil }
func (v *visitor) Finish(*storage.SnapshotInfo) error { return nil }

func (v *visitor) AddSession(id int64, timeOut int32) error {
	if v.session == nil {
		return nil
	}
	return v.session(id, timeOut)
}

func (v *visitor) AddACL(id int64, acl []byte) error {
	if v.acl == nil {
		return nil
	}
	return v.acl(id, acl)
}

func (v *visitor) AddNode(path string, data []byte, acl int64, stat *proto.StatPersisted) error {
	if v.node == nil {
		return nil
	}
	return v.node(path, data, acl, stat)
}

// overview is what SnapshotFormatter prints around the nodes.
type overview struct {
	info       storage.SnapshotInfo
	sessions   []storage.Session
	ephemerals map[int64]int
	last       int64
}

// newOverview reads a snapshot a first time, which also shows that it is whole.
func newOverview(ctx context.Context, path string) (*overview, error) {
	o := &overview{ephemerals: map[int64]int{}}
	v := &visitor{
		session: func(id int64, timeOut int32) error {
			o.sessions = append(o.sessions, storage.Session{ID: id, TimeOut: timeOut})
			return nil
		},
		node: func(_ string, _ []byte, _ int64, stat *proto.StatPersisted) error {
			o.ephemerals[stat.EphemeralOwner]++
			o.last = max(o.last, stat.Mzxid, stat.Pzxid)
			return nil
		},
	}
	var err error
	o.info, err = storage.ReadSnapshotFile(ctx, storage.OS(), path, v)
	o.last = max(o.last, o.info.Zxid)
	return o, err
}

func dumpSnapshotText(ctx context.Context, w io.Writer, path string, data bool) error {
	o, err := newOverview(ctx, path)
	if err != nil {
		return err
	}
	// Apache's count has the root twice: as "" and as "/".
	if _, err := fmt.Fprintf(w, "ZNode Details (count=%d):\n", o.info.Nodes+1); err != nil {
		return err
	}
	v := &visitor{node: func(path string, b []byte, _ int64, stat *proto.StatPersisted) error {
		return printNode(w, path, b, stat, data)
	}}
	if _, err := storage.ReadSnapshotFile(ctx, storage.OS(), path, v); err != nil {
		return err
	}
	return o.print(w)
}

func printNode(w io.Writer, path string, data []byte, s *proto.StatPersisted, withData bool) error {
	if path == "" {
		path = "/"
	}
	content := fmt.Sprintf("dataLength = %d", len(data))
	if withData {
		content = "data = " + base64.StdEncoding.EncodeToString(data)
	}
	_, err := fmt.Fprintf(w, `----
%s
  cZxid = %s
  ctime = %s
  mZxid = %s
  mtime = %s
  pZxid = %s
  cversion = %d
  dataVersion = %d
  aclVersion = %d
  ephemeralOwner = %s
  %s
`, text(path), javaHex(s.Czxid), javaTime(s.Ctime), javaHex(s.Mzxid), javaTime(s.Mtime), javaHex(s.Pzxid),
		s.Cversion, s.Version, s.Aversion, javaHex(s.EphemeralOwner), content)
	return err
}

func (o *overview) print(w io.Writer) error {
	if _, err := fmt.Fprintln(w, "----\nSession Details (sid, timeout, ephemeralCount):"); err != nil {
		return err
	}
	for _, s := range o.sessions {
		if _, err := fmt.Fprintf(w, "%s, %d, %d\n", javaHex(s.ID), s.TimeOut, o.ephemerals[s.ID]); err != nil {
			return err
		}
	}
	if o.info.HasDigest {
		d := o.info.Digest
		if _, err := fmt.Fprintf(w, "Target zxid digest is: %x, %d\n", uint64(d.Zxid), int64(d.Value)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "----\nLast zxid: %s\n", zxid(o.last))
	return err
}

// javaHex is Java's %#016x.
func javaHex(v int64) string { return fmt.Sprintf("0x%014x", uint64(v)) }

func javaTime(ms int64) string { return time.UnixMilli(ms).Format(javaDate) }

// nodeLine is a node as JSON.
type nodeLine struct {
	Path     string    `json:"path"`
	Data     *[]byte   `json:"data"`
	ACL      []aclJSON `json:"acl"`
	Czxid    zxid      `json:"czxid"`
	Mzxid    zxid      `json:"mzxid"`
	Pzxid    zxid      `json:"pzxid"`
	Ctime    time.Time `json:"ctime"`
	Mtime    time.Time `json:"mtime"`
	Version  int32     `json:"version"`
	Cversion int32     `json:"cversion"` // as kept: the number of children ever made
	Aversion int32     `json:"aversion"`
	Owner    string    `json:"ephemeral_owner,omitempty"`
	Kind     string    `json:"kind"`
	TTL      int64     `json:"ttl_ms,omitempty"`
}

func dumpSnapshotJSON(ctx context.Context, w io.Writer, path string) error {
	acls := map[int64][]aclJSON{storage.OpenACLID: aclsJSON(proto.AppendACLs(nil, proto.OpenACL()))}
	v := &visitor{
		acl: func(id int64, acl []byte) error {
			acls[id] = aclsJSON(acl)
			return nil
		},
		node: func(path string, data []byte, acl int64, s *proto.StatPersisted) error {
			return printJSON(w, newNodeLine(path, data, acls[acl], s))
		},
	}
	_, err := storage.ReadSnapshotFile(ctx, storage.OS(), path, v)
	return err
}

func newNodeLine(path string, data []byte, acl []aclJSON, s *proto.StatPersisted) nodeLine {
	if path == "" {
		path = "/"
	}
	l := nodeLine{
		Path: path, Data: &data, ACL: acl, Czxid: zxid(s.Czxid), Mzxid: zxid(s.Mzxid), Pzxid: zxid(s.Pzxid),
		Ctime: time.UnixMilli(s.Ctime).UTC(), Mtime: time.UnixMilli(s.Mtime).UTC(),
		Version: s.Version, Cversion: s.Cversion, Aversion: s.Aversion, Kind: "persistent",
	}
	ttl, isTTL := proto.OwnerTTL(s.EphemeralOwner)
	switch {
	case s.EphemeralOwner == 0:
	case s.EphemeralOwner == proto.ContainerOwner:
		l.Kind = "container"
	case isTTL:
		l.Kind, l.TTL = "ttl", ttl
	default:
		l.Kind, l.Owner = "ephemeral", fmt.Sprintf("0x%x", uint64(s.EphemeralOwner))
	}
	return l
}
