package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// snapshotCtxEvery is how many nodes are read between two looks at the context.
const snapshotCtxEvery = 4096

// expansion is about how many times longer a snapshot is than its file.
var expansion = map[Compression]int64{None: 1, Gzip: 8, Snappy: 4}

// DecodeSnapshot reads a snapshot from r into sink, verifies its checksums and
// fills in what info says of the content. info.Compression and info.Size must be set. No
// field longer than maxField bytes is taken. A fault of the content is a
// DamageError with info.Path as its file; sink's errors are returned as they are.
func DecodeSnapshot(ctx context.Context, r io.Reader, info *SnapshotInfo, maxField int, sink SnapshotSink) error {
	start := time.Now()
	if err := sink.Begin(); err != nil {
		return err
	}
	expanded, err := decompressor(r, info.Compression)
	if err != nil {
		return snapshotDamage(info.Path, 0, err)
	}
	d := snapDecoder{in: newSumReader(expanded, info.Size*expansion[info.Compression]), sink: sink, info: info, maxField: maxField}
	defer d.in.close()
	if err := d.decode(ctx); err != nil {
		return err
	}
	info.Elapsed = time.Since(start)
	return sink.Finish(info)
}

// DecodeState reads what EncodeState has written, up to the end of r, which must
// come right behind it. Nothing in it says which transaction was the last:
// info.Zxid is the caller's. The rest is as with DecodeSnapshot.
func DecodeState(ctx context.Context, r io.Reader, info *SnapshotInfo, maxField int, sink SnapshotSink) error {
	start := time.Now()
	if err := sink.Begin(); err != nil {
		return err
	}
	d := snapDecoder{in: newBlockReader(r, streamBlock), sink: sink, info: info, maxField: maxField}
	defer d.in.close()
	if err := d.content(ctx); err != nil {
		return err
	}
	switch err := d.in.need(1); {
	case err == nil:
		return d.damage(errors.New("more than a state has"))
	case !errors.Is(err, io.ErrUnexpectedEOF):
		return d.damage(err)
	}
	info.Elapsed = time.Since(start)
	return sink.Finish(info)
}

func snapshotDamage(file string, off int64, err error) error {
	reason := err.Error()
	if errors.Is(err, io.ErrUnexpectedEOF) {
		reason = "the file ends too early"
	}
	return &DamageError{File: file, Offset: off, Reason: reason, Err: err}
}

type snapDecoder struct {
	in       *sumReader
	sink     SnapshotSink
	info     *SnapshotInfo
	maxField int
}

// damage says that what follows the consumed bytes is wrong.
func (d *snapDecoder) damage(err error) error {
	return snapshotDamage(d.info.Path, d.in.off, err)
}

func (d *snapDecoder) decode(ctx context.Context) error {
	if err := d.header(); err != nil {
		return err
	}
	if err := d.content(ctx); err != nil {
		return err
	}
	if err := d.seal(); err != nil {
		return err
	}
	return d.sections()
}

// content reads what files and streams have in common.
func (d *snapDecoder) content(ctx context.Context) error {
	if err := d.sessions(ctx); err != nil {
		return err
	}
	if err := d.acls(ctx); err != nil {
		return err
	}
	return d.nodes(ctx)
}

func (d *snapDecoder) header() error {
	if err := d.in.need(fileHeader); err != nil {
		return d.damage(err)
	}
	if magic := binary.BigEndian.Uint32(d.in.window); magic != snapshotMagic {
		return d.damage(fmt.Errorf("not a snapshot: it begins with %08x", magic))
	}
	if v := binary.BigEndian.Uint32(d.in.window[4:]); v != logVersion {
		return d.damage(fmt.Errorf("unknown version %d", v))
	}
	d.in.consume(fileHeader)
	return nil
}

func (d *snapDecoder) count(what string) (int, error) {
	if err := d.in.need(4); err != nil {
		return 0, d.damage(err)
	}
	n := int32(binary.BigEndian.Uint32(d.in.window))
	if n < 0 {
		return 0, d.damage(fmt.Errorf("%d %s", n, what))
	}
	d.in.consume(4)
	return int(n), nil
}

func (d *snapDecoder) sessions(ctx context.Context) error {
	n, err := d.count("sessions")
	if err != nil {
		return err
	}
	for i := range n {
		if i%snapshotCtxEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := d.in.need(12); err != nil {
			return d.damage(err)
		}
		id := int64(binary.BigEndian.Uint64(d.in.window))
		timeOut := int32(binary.BigEndian.Uint32(d.in.window[8:]))
		if err := d.sink.AddSession(id, timeOut); err != nil {
			return err
		}
		d.in.consume(12)
	}
	d.info.Sessions = n
	return nil
}

func (d *snapDecoder) acls(ctx context.Context) error {
	n, err := d.count("access control lists")
	if err != nil {
		return err
	}
	for i := range n {
		if i%snapshotCtxEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := d.acl(); err != nil {
			return err
		}
	}
	d.info.ACLs = n
	return nil
}

// acl reads one list. Its length is known only after its entries were walked.
func (d *snapDecoder) acl() error {
	if err := d.in.need(12); err != nil {
		return d.damage(err)
	}
	id := int64(binary.BigEndian.Uint64(d.in.window))
	entries := int32(binary.BigEndian.Uint32(d.in.window[8:]))
	if entries < 0 {
		return d.damage(fmt.Errorf("access control list of %d entries", entries))
	}
	at := 12
	for range entries {
		at += 4 // perms
		for range 2 {
			n, err := d.fieldAt(at)
			if err != nil {
				return err
			}
			at += 4 + max(n, 0)
		}
		if at > d.maxField {
			return d.damage(fmt.Errorf("access control list longer than %d bytes", d.maxField))
		}
	}
	if err := d.in.need(at); err != nil {
		return d.damage(err)
	}
	if err := d.sink.AddACL(id, d.in.window[8:at:at]); err != nil {
		return err
	}
	d.in.consume(at)
	return nil
}

// fieldAt is the length of the string or buffer that starts at window[at].
func (d *snapDecoder) fieldAt(at int) (int, error) {
	if err := d.in.need(at + 4); err != nil {
		return 0, d.damage(err)
	}
	n := int(int32(binary.BigEndian.Uint32(d.in.window[at:])))
	if n < -1 || n > d.maxField {
		return 0, d.damage(fmt.Errorf("field of %d bytes, at most %d are taken (more with the jute.maxbuffer that it was written with)", n, d.maxField))
	}
	return n, nil
}

func (d *snapDecoder) nodes(ctx context.Context) error {
	var stat proto.StatPersisted
	start := d.in.off
	for i, tell := 0, expectFirst; ; i++ {
		if i == tell {
			d.expect(i, start)
			tell *= expectTimes
		}
		if i%snapshotCtxEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		last, err := d.node(&stat)
		if err != nil {
			return err
		}
		if last {
			d.info.Nodes = i
			return nil
		}
	}
}

// The sink is told what to expect after expectFirst nodes, then after expectTimes as many as
// the last time.
const (
	expectFirst = 1 << 14
	expectTimes = 4
)

// expect tells the sink how many nodes are likely to come, after n that begin at start. Of a
// stream and of a compressed file nobody knows.
func (d *snapDecoder) expect(n int, start int64) {
	e, ok := d.sink.(Expecter)
	if read := d.in.off - start; ok && d.info.Compression == None && d.info.Size > d.in.off && read > 0 {
		e.Expect(int(float64(n) * float64(d.info.Size-start) / float64(read)))
	}
}

// node reads one node; true means that it was the "/" after the last.
func (d *snapDecoder) node(stat *proto.StatPersisted) (bool, error) {
	pathLen, err := d.fieldAt(0)
	if err != nil {
		return false, err
	}
	pathEnd := 4 + max(pathLen, 0)
	if err := d.in.need(pathEnd); err != nil {
		return false, d.damage(err)
	}
	if pathLen == 1 && d.in.window[4] == '/' {
		d.in.consume(pathEnd)
		return true, nil
	}
	dataLen, err := d.fieldAt(pathEnd)
	if err != nil {
		return false, err
	}
	dataEnd := pathEnd + 4 + max(dataLen, 0)
	end := dataEnd + 8 + statLen
	if err := d.in.need(end); err != nil {
		return false, d.damage(err)
	}
	w := d.in.window[:end:end]
	var data []byte
	if dataLen >= 0 {
		data = w[pathEnd+4 : dataEnd : dataEnd]
	}
	acl := int64(binary.BigEndian.Uint64(w[dataEnd:]))
	decodeStat(w[dataEnd+8:end], stat)
	if err := d.sink.AddNode(jute.Alias(w[4:pathEnd]), data, acl, stat); err != nil {
		return false, err
	}
	d.in.consume(end)
	return false, nil
}

func decodeStat(b []byte, s *proto.StatPersisted) {
	_ = b[statLen-1]
	s.Czxid = int64(binary.BigEndian.Uint64(b))
	s.Mzxid = int64(binary.BigEndian.Uint64(b[8:]))
	s.Ctime = int64(binary.BigEndian.Uint64(b[16:]))
	s.Mtime = int64(binary.BigEndian.Uint64(b[24:]))
	s.Version = int32(binary.BigEndian.Uint32(b[32:]))
	s.Cversion = int32(binary.BigEndian.Uint32(b[36:]))
	s.Aversion = int32(binary.BigEndian.Uint32(b[40:]))
	s.EphemeralOwner = int64(binary.BigEndian.Uint64(b[44:]))
	s.Pzxid = int64(binary.BigEndian.Uint64(b[52:]))
}

// seal compares the checksum over everything before with the one that follows.
func (d *snapDecoder) seal() error {
	sum, err := d.in.sumHere()
	if err != nil {
		return d.damage(err)
	}
	if err := d.in.need(sealLen); err != nil {
		return d.damage(err)
	}
	w := d.in.window[:sealLen]
	if got := binary.BigEndian.Uint64(w); got != uint64(sum) {
		return d.damage(fmt.Errorf("checksum %08x, but the bytes before it have %08x", got, sum))
	}
	if binary.BigEndian.Uint32(w[8:]) != 1 || w[12] != '/' {
		return d.damage(errors.New("checksum without its end"))
	}
	d.in.consume(sealLen)
	return nil
}

// sections reads what servers since 3.6 (the digest) and 3.9 (the last zxid)
// write after the first seal, each with a seal of its own. Both can be
// switched off, so what is there shows in how much is there.
func (d *snapDecoder) sections() error {
	if _, err := d.in.sumHere(); err != nil { // brings the rest into the window
		return d.damage(err)
	}
	const lastZxid = 8 + sealLen
	rest := len(d.in.window)
	if rest > lastZxid {
		if err := d.digest(); err != nil {
			return err
		}
		rest = len(d.in.window)
	}
	if rest == lastZxid {
		d.info.HasLastZxid = true
		d.info.LastZxid = int64(binary.BigEndian.Uint64(d.in.window))
		d.in.consume(8)
		return d.seal()
	}
	if rest != 0 {
		return d.damage(fmt.Errorf("%d bytes more than a snapshot has", rest))
	}
	return nil
}

func (d *snapDecoder) digest() error {
	w := d.in.window
	if len(w) < 12 {
		return d.damage(io.ErrUnexpectedEOF)
	}
	digest := SnapshotDigest{Zxid: int64(binary.BigEndian.Uint64(w)), Version: int32(binary.BigEndian.Uint32(w[8:]))}
	r := jute.NewDecoder(w[12:])
	if digest.Version < 2 {
		text := r.String()
		v, err := strconv.ParseUint(text, 16, 64)
		if text != "" && err != nil {
			return d.damage(fmt.Errorf("digest %q", text))
		}
		digest.Value = v
	} else {
		digest.Value = uint64(r.Long())
	}
	if err := r.Err(); err != nil {
		return d.damage(err)
	}
	d.in.consume(12 + r.Offset())
	if err := d.seal(); err != nil {
		return err
	}
	// Zxid 0 is what a server writes that has applied nothing so far.
	d.info.HasDigest = digest.Zxid > 0
	d.info.Digest = digest
	return nil
}
