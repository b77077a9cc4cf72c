package datatool

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/txn"
)

// toolkitTime is the time as Java prints it, short date and long time.
const toolkitTime = "1/2/06, 3:04:05 PM MST"

func dumpLogText(ctx context.Context, w io.Writer, path string) error {
	if _, err := fmt.Fprintln(w, "ZooKeeper Transactional Log File with dbid 0 txnlog format version 2"); err != nil {
		return err
	}
	var tx txn.Txn
	sum, err := storage.ScanLog(ctx, storage.OS(), path, func(r storage.LogRecord) error {
		if err := txn.Decode(r.Entry, &tx); err != nil {
			return fmt.Errorf("%s at offset %d: %w", path, r.Offset, err)
		}
		_, err := fmt.Fprintf(w, "%s session 0x%x cxid 0x%x zxid 0x%x %s %s\n", time.UnixMilli(tx.Time).Format(toolkitTime),
			uint64(tx.ClientID), uint32(tx.Cxid), uint64(tx.Zxid), tx.Header.Type, bodyText(&tx, r.Entry))
		return err
	})
	if err != nil {
		return err
	}
	if sum.Damage != nil {
		return sum.Damage
	}
	_, err = fmt.Fprintf(w, "EOF reached after %d txns.\n", sum.Records)
	return err
}

// bodyText is a transaction as TxnLogToolkit prints it, on one line.
func bodyText(tx *txn.Txn, entry []byte) string {
	b := &tx.Body
	switch b.Type {
	case proto.OpCreate, proto.OpCreate2:
		return fmt.Sprintf("%s,%s,%s,%v,%d", text(b.Path), text(string(b.Data)), aclText(b.ACL), b.Ephemeral, b.ParentCversion)
	case proto.OpCreateContainer:
		return fmt.Sprintf("%s,%s,%s,%d", text(b.Path), text(string(b.Data)), aclText(b.ACL), b.ParentCversion)
	case proto.OpCreateTTL:
		return fmt.Sprintf("%s,%s,%s,%d,%d", text(b.Path), text(string(b.Data)), aclText(b.ACL), b.ParentCversion, b.TTL)
	case proto.OpSetData, proto.OpReconfig:
		return fmt.Sprintf("%s,%s,%d", text(b.Path), text(string(b.Data)), b.Version)
	case proto.OpDelete, proto.OpDeleteContainer:
		return "'" + text(b.Path)
	case proto.OpSetACL:
		return fmt.Sprintf("'%s,%s,%d", text(b.Path), csvACL(b.ACL), b.Version)
	case proto.OpCreateSession:
		return fmt.Sprint(b.TimeOut)
	case proto.OpCloseSession:
		return closeText(b)
	case proto.OpError:
		return fmt.Sprint(int32(b.Err))
	case proto.OpMulti:
		return multiText(entry)
	}
	return ""
}

func closeText(b *txn.Body) string {
	if !b.HasPaths {
		return ""
	}
	paths := make([]string, len(b.Paths))
	for i, p := range b.Paths {
		paths[i] = "'" + text(p)
	}
	return "v{" + strings.Join(paths, ",") + "}"
}

// multiText prints each change as its type and its bytes, as TxnLogToolkit does.
func multiText(entry []byte) string {
	d := jute.NewDecoder(entry[txn.HeaderLen:])
	n := d.Count(8)
	var parts []string
	for range n {
		op := proto.Op(d.Int())
		parts = append(parts, op.String()+":"+text(string(d.Buffer())))
	}
	return strings.Join(parts, ";")
}

// aclText is a list as Java prints a List<ACL>, without its line ends.
func aclText(encoded []byte) string {
	var parts []string
	for _, a := range decodeACLs(encoded) {
		parts = append(parts, fmt.Sprintf("%d,s{'%s,'%s}", a.Perms, text(a.Scheme), text(a.ID)))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// csvACL is a list as jute's text form has it.
func csvACL(encoded []byte) string {
	var parts []string
	for _, a := range decodeACLs(encoded) {
		parts = append(parts, fmt.Sprintf("s{%d,s{'%s,'%s}}", a.Perms, text(a.Scheme), text(a.ID)))
	}
	return "v{" + strings.Join(parts, ",") + "}"
}

func decodeACLs(encoded []byte) []proto.ACL {
	d := jute.NewDecoder(encoded)
	return proto.DecodeACLs(&d)
}

// text makes a string safe to print: control characters are escaped, and what
// is not UTF-8 becomes the replacement character, as in Java.
func text(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case r < 0x20 || r >= 0x7f && r < 0xa0:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// logLine is a transaction as JSON.
type logLine struct {
	Zxid    zxid      `json:"zxid"`
	Time    time.Time `json:"time"`
	Session string    `json:"session"`
	Cxid    int32     `json:"cxid"`
	Offset  int64     `json:"offset"`
	logBody
	Subs   []logBody  `json:"multi,omitempty"`
	Digest *logDigest `json:"digest,omitempty"`
}

type logDigest struct {
	Version int32  `json:"version"`
	Tree    uint64 `json:"tree"`
}

type logBody struct {
	Type           string    `json:"type"`
	Path           string    `json:"path,omitempty"`
	Data           *[]byte   `json:"data,omitempty"`
	ACL            []aclJSON `json:"acl,omitempty"`
	Ephemeral      bool      `json:"ephemeral,omitempty"`
	ParentCversion *int32    `json:"parent_cversion,omitempty"`
	Version        *int32    `json:"version,omitempty"`
	TTL            int64     `json:"ttl_ms,omitempty"`
	TimeOut        int32     `json:"timeout_ms,omitempty"`
	Paths          []string  `json:"paths,omitempty"`
	Err            int32     `json:"error,omitempty"`
}

type aclJSON struct {
	Perms  string `json:"perms"`
	Scheme string `json:"scheme"`
	ID     string `json:"id"`
}

func dumpLogJSON(ctx context.Context, w io.Writer, path string) error {
	var tx txn.Txn
	sum, err := storage.ScanLog(ctx, storage.OS(), path, func(r storage.LogRecord) error {
		if err := txn.Decode(r.Entry, &tx); err != nil {
			return fmt.Errorf("%s at offset %d: %w", path, r.Offset, err)
		}
		return printJSON(w, newLogLine(&tx, r.Offset))
	})
	if err == nil && sum.Damage != nil {
		err = sum.Damage
	}
	return err
}

func newLogLine(tx *txn.Txn, offset int64) logLine {
	l := logLine{
		Zxid: zxid(tx.Zxid), Time: time.UnixMilli(tx.Time).UTC(), Session: fmt.Sprintf("0x%x", uint64(tx.ClientID)),
		Cxid: tx.Cxid, Offset: offset, logBody: newLogBody(&tx.Body),
	}
	for i := range tx.Subs {
		l.Subs = append(l.Subs, newLogBody(&tx.Subs[i]))
	}
	if tx.HasDigest {
		l.Digest = &logDigest{tx.DigestVersion, tx.TreeDigest}
	}
	return l
}

func newLogBody(b *txn.Body) logBody {
	l := logBody{Type: b.Type.String(), Path: b.Path, ACL: aclsJSON(b.ACL), Ephemeral: b.Ephemeral,
		TTL: b.TTL, TimeOut: b.TimeOut, Paths: b.Paths, Err: int32(b.Err)}
	switch b.Type {
	case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
		l.Data, l.ParentCversion = &b.Data, &b.ParentCversion
	case proto.OpSetData, proto.OpReconfig:
		l.Data, l.Version = &b.Data, &b.Version
	case proto.OpSetACL, proto.OpCheck:
		l.Version = &b.Version
	}
	return l
}

func aclsJSON(encoded []byte) []aclJSON {
	var list []aclJSON
	for _, a := range decodeACLs(encoded) {
		list = append(list, aclJSON{permsText(a.Perms), a.Scheme, a.ID})
	}
	return list
}

// permsText is the letters that zkCli.sh takes and prints.
func permsText(perms int32) string {
	var b strings.Builder
	for _, p := range []struct {
		bit    int32
		letter byte
	}{{proto.PermCreate, 'c'}, {proto.PermDelete, 'd'}, {proto.PermRead, 'r'}, {proto.PermWrite, 'w'}, {proto.PermAdmin, 'a'}} {
		if perms&p.bit != 0 {
			b.WriteByte(p.letter)
		}
	}
	return b.String()
}
