package datatool

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/txn"
)

func newRecover() *cobra.Command {
	var r recovery
	cmd := &cobra.Command{
		Use:   "recover LOG",
		Short: "Save what is whole of a damaged log",
		Long: `Copies the transactions before the damage to fixed.<name of the log> beside it.
The transactions after that are given up, so this is the last resort: a backup,
or a copy from the other servers of the ensemble, loses nothing.

With --fix-checksums a record whose checksum is wrong is kept if it can be read
and is next in order, as Apache's TxnLogToolkit -r -y does: its data may have
changed.

With --replace the result takes the log's place. The log becomes
damaged.<name>, and so do the logs after it if transactions were given up: they
do not fit any more. No server must run.`,
		Example: `  quoll data recover log.100000001
  quoll data recover --replace /var/lib/zookeeper/version-2/log.100000001`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.path, r.w = args[0], cmd.OutOrStdout()
			return r.run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&r.fixChecksums, "fix-checksums", false, "keep records with a wrong checksum that can be read")
	cmd.Flags().BoolVar(&r.replace, "replace", false, "put the result in the log's place")
	return cmd
}

type recovery struct {
	w            io.Writer
	path         string
	fixChecksums bool
	replace      bool

	kept, fixed int64
	last        int64 // zxid
	end         int64 // offset behind what was kept
	cause       string
}

func (r *recovery) run(ctx context.Context) error {
	sum, err := storage.ScanLog(ctx, storage.OS(), r.path, nil)
	if err != nil {
		return err
	}
	if sum.Damage == nil && sum.Torn == 0 {
		_, err := fmt.Fprintf(r.w, "%s is whole: %d transactions, %s to %s\n", r.path, sum.Records, zxid(sum.First), zxid(sum.Last))
		return err
	}
	dst := beside(r.path, "fixed.")
	if err := r.write(ctx, dst); err != nil {
		return err
	}
	if err := r.say(dst); err != nil {
		return err
	}
	if r.replace {
		return r.putInPlace(dst)
	}
	fix := ""
	if r.fixChecksums {
		fix = " --fix-checksums"
	}
	_, err = fmt.Fprintf(r.w, "to put it in the log's place, while no server runs: quoll data recover --replace%s %s\n", fix, r.path)
	return err
}

// write makes dst. One that an earlier run has made is the same, and stays.
func (r *recovery) write(ctx context.Context, dst string) error {
	fill := func(w io.Writer) error { return r.copy(ctx, w) }
	err := writeNew(dst, fill)
	if !errors.Is(err, os.ErrExist) {
		return err
	}
	have, err := os.Open(dst)
	if err != nil {
		return err
	}
	defer have.Close()
	same := &sameness{with: bufio.NewReader(have)}
	if err := fill(same); err != nil {
		return err
	}
	if _, err := same.with.ReadByte(); err != io.EOF {
		same.differs = true
	}
	if same.differs {
		return fmt.Errorf("%s is there already and is not what this would write: remove it or move it away, and run this again", dst)
	}
	return nil
}

// sameness tells whether what is written to it differs from what can be read.
type sameness struct {
	with    *bufio.Reader
	differs bool
}

func (c *sameness) Write(b []byte) (int, error) {
	have := make([]byte, len(b))
	if _, err := io.ReadFull(c.with, have); err != nil || !bytes.Equal(have, b) {
		c.differs = true
	}
	return len(b), nil
}

func (r *recovery) say(dst string) error {
	_, err := fmt.Fprintf(r.w, "%s: kept %d transactions up to %s (%d with a new checksum); gave up what follows offset %d: %s\n",
		dst, r.kept, zxid(r.last), r.fixed, r.end, r.cause)
	return err
}

// copy writes the records that are whole, or made so.
func (r *recovery) copy(ctx context.Context, w io.Writer) error {
	f, err := os.Open(r.path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	in := bufio.NewReader(f)
	if _, err := in.Discard(len(storage.LogHeader())); err != nil {
		return fmt.Errorf("%s has no header: %w", r.path, err)
	}
	r.end = int64(len(storage.LogHeader()))
	out := newLogWriter(w)
	for ctx.Err() == nil {
		entry, err := r.record(in, st.Size())
		if err != nil {
			return err
		}
		if entry == nil {
			return out.w.Flush()
		}
		if err := out.write(entry); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// record is the next entry to keep; nil where the rest is given up, because of r.cause.
func (r *recovery) record(in *bufio.Reader, size int64) ([]byte, error) {
	var head [12]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return nil, r.stop("the file ends", err)
	}
	n := int64(int32(binary.BigEndian.Uint32(head[8:])))
	switch {
	case n == 0:
		return nil, r.stop("no record begins there", nil)
	case n < txn.HeaderLen || r.end+int64(storage.RecordLen(int(n))) > size:
		return nil, r.stop(fmt.Sprintf("a record of %d bytes", n), nil)
	}
	entry := make([]byte, n+1)
	if _, err := io.ReadFull(in, entry); err != nil {
		return nil, r.stop("the file ends", err)
	}
	end := entry[n]
	entry = entry[:n]
	right := uint64(adler32.Checksum(entry)) == binary.BigEndian.Uint64(head[:])
	var tx txn.Txn
	switch {
	case end != 'B':
		return nil, r.stop("a record without its end mark", nil)
	case !right && !r.fixChecksums:
		return nil, r.stop("a wrong checksum", nil)
	case txn.Decode(entry, &tx) != nil:
		return nil, r.stop("a record that cannot be read", nil)
	case r.kept > 0 && !r.follows(&tx):
		return nil, r.stop(fmt.Sprintf("transaction %s after %s", zxid(tx.Zxid), zxid(r.last)), nil)
	}
	if !right {
		r.fixed++
		if _, err := fmt.Fprintf(r.w, "new checksum: %s at offset %d\n", zxid(tx.Zxid), r.end); err != nil {
			return nil, err
		}
	}
	r.kept++
	r.last = tx.Zxid
	r.end += int64(storage.RecordLen(int(n)))
	return entry, nil
}

// follows tells whether tx comes next: the next zxid, the first of a later
// epoch, or the same again for an error, as Apache's server logs a request that
// it cannot decode.
func (r *recovery) follows(tx *txn.Txn) bool {
	newEpoch := tx.Zxid>>32 > r.last>>32 && tx.Zxid&0xffffffff <= 1
	echo := tx.Zxid == r.last && tx.Header.Type == proto.OpError
	return tx.Zxid == r.last+1 || newEpoch || echo
}

// stop notes why the rest is given up; an end of the file is no failure.
func (r *recovery) stop(cause string, err error) error {
	r.cause = cause
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// putInPlace moves the log and those after it aside, newest first, and then
// the result to where the log was: at no time there is a gap to be served.
func (r *recovery) putInPlace(dst string) error {
	fsys, dir := storage.OS(), filepath.Dir(r.path)
	logs, err := storage.ListLogs(fsys, dir)
	if err != nil {
		return err
	}
	for i := len(logs) - 1; i >= 0; i-- {
		before := logs[i].First <= r.last+1 // or what goes on where it now ends
		if before || filepath.Base(logs[i].Path) == filepath.Base(r.path) {
			continue
		}
		if err := r.move(logs[i].Path, beside(logs[i].Path, "damaged.")); err != nil {
			return err
		}
	}
	if err := r.move(r.path, beside(r.path, "damaged.")); err != nil {
		return err
	}
	if err := r.move(dst, r.path); err != nil {
		return err
	}
	return fsys.SyncDir(dir)
}

func (r *recovery) move(from, to string) error {
	if _, err := os.Lstat(to); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("move %s aside: %s is there already", from, to)
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	_, err := fmt.Fprintf(r.w, "moved %s to %s\n", from, to)
	return err
}
