package datatool

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/internal/storage"
	"github.com/quollhq/quoll/internal/txn"
)

func newVerify() *cobra.Command {
	var d dirs
	var out output
	cmd := &cobra.Command{
		Use:   "verify DIR",
		Short: "Check every checksum, the order of transactions and the digests",
		Long: `Reads every snapshot and every log of a directory to its end: checksums, the
structure of every record, the order of transactions, the digest of every
snapshot's nodes. Then it does what a server does at its start: takes the newest
snapshot, replays the logs after it, and compares the tree's digest with the one
in every transaction. Nothing is changed.

The exit code is 1 if anything is damaged.`,
		Example: `  quoll data verify /var/lib/zookeeper
  quoll data verify -o json /backup/version-2`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check("text", "json"); err != nil {
				return err
			}
			in, err := d.resolve(args[0])
			if err != nil {
				return err
			}
			v := verifier{w: cmd.OutOrStdout(), json: out.format == "json", dirs: in}
			return v.run(cmd.Context())
		},
	}
	d.addFlags(cmd)
	out.addFlags(cmd, "text or json (a line for each file, and one for all)")
	return cmd
}

type verifier struct {
	w       io.Writer
	json    bool
	dirs    storage.Dirs
	damaged int
}

// finding is a line of the report.
type finding struct {
	Path    string `json:"path,omitempty"`
	OK      bool   `json:"ok"`
	What    string `json:"what"`
	Problem string `json:"problem,omitempty"`
	Cure    string `json:"cure,omitempty"`
}

func (v *verifier) run(ctx context.Context) error {
	snaps, err := storage.ListSnapshots(storage.OS(), versionDir(v.dirs.Data))
	if err != nil {
		return err
	}
	for i := len(snaps) - 1; i >= 0; i-- {
		if err := v.snapshot(ctx, snaps[i]); err != nil {
			return err
		}
	}
	logs, err := storage.ListLogs(storage.OS(), versionDir(v.dirs.Log))
	if err != nil {
		return err
	}
	if len(snaps)+len(logs) == 0 {
		return fmt.Errorf("neither snapshots nor logs in %s", versionDir(v.dirs.Data))
	}
	for _, l := range logs {
		if err := v.log(ctx, l); err != nil {
			return err
		}
	}
	if err := v.start(ctx); err != nil {
		return err
	}
	if v.damaged > 0 {
		return &errFound{v.damaged}
	}
	return nil
}

func (v *verifier) report(f finding) error {
	if !f.OK {
		v.damaged++
	}
	if v.json {
		return printJSON(v.w, f)
	}
	state := "ok      "
	if !f.OK {
		state = "DAMAGED "
	}
	line := state + f.Path + ": " + f.What
	if f.Path == "" {
		line = state + f.What
	}
	if f.Problem != "" {
		line += ": " + f.Problem
	}
	if f.Cure != "" {
		line += "\n        " + f.Cure
	}
	_, err := fmt.Fprintln(v.w, line)
	return err
}

func (v *verifier) snapshot(ctx context.Context, s storage.SnapshotFile) error {
	r := &replayed{}
	defer r.close()
	info, err := storage.ReadSnapshotFile(ctx, storage.OS(), s.Path, r)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f := finding{Path: s.Path, OK: err == nil, What: fmt.Sprintf("snapshot of %d nodes, %d sessions, %d ACLs", info.Nodes, info.Sessions, info.ACLs)}
	switch {
	case err != nil:
		f.What, f.Problem = "snapshot", reason(err)
	case !info.HasDigest:
		f.What += ", no digest"
	case info.Digest.Zxid == info.Zxid:
		f.What += ", digest right"
	default:
		f.What += fmt.Sprintf(", digest of a later transaction (%s)", zxid(info.Digest.Zxid))
	}
	return v.report(f)
}

func (v *verifier) log(ctx context.Context, l storage.LogFile) error {
	var tx txn.Txn
	var broken error
	sum, err := storage.ScanLog(ctx, storage.OS(), l.Path, func(r storage.LogRecord) error {
		if err := txn.Decode(r.Entry, &tx); err != nil && broken == nil {
			broken = fmt.Errorf("at offset %d: %w", r.Offset, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	f := finding{Path: l.Path, OK: true, What: fmt.Sprintf("log of %d transactions, %s to %s", sum.Records, zxid(sum.First), zxid(sum.Last))}
	if sum.Torn > 0 {
		f.What += fmt.Sprintf(", and %d bytes of an interrupted write", sum.Torn)
	}
	switch {
	case sum.Damage != nil:
		f.OK, f.Problem, f.Cure = false, reason(sum.Damage), sum.Damage.Cure
	case broken != nil:
		f.OK, f.Problem = false, broken.Error()
	}
	return v.report(f)
}

// start does what a server does at its start.
func (v *verifier) start(ctx context.Context) error {
	s, err := storage.Open(storage.Options{Dirs: v.dirs, ReadOnly: true, TrustEmpty: true, MaxEntry: storage.MostEntry})
	if err != nil {
		return err
	}
	r := &replayed{}
	defer r.close()
	l, err := s.Load(ctx, r, r.apply)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		f := finding{What: "start", Problem: err.Error()}
		var d *storage.DamageError
		if errors.As(err, &d) {
			f.Path, f.Problem, f.Cure = d.File, reason(err), d.Cure
		}
		return v.report(f)
	}
	f := finding{OK: r.mismatch == 0, What: fmt.Sprintf("start from zxid %s: %d transactions replayed", zxid(l.LastZxid-l.Replayed), l.Replayed)}
	if l.Snapshot != nil {
		f.What = fmt.Sprintf("start from %s: %d transactions replayed", l.Snapshot.Path, l.Replayed)
	}
	f.What += fmt.Sprintf(", %d digests compared, last zxid %s, %d nodes", r.digests, zxid(l.LastZxid), r.nodeCount())
	if r.mismatch > 0 {
		f.Problem = fmt.Sprintf("%d digests differ, first after transaction %s", r.mismatch, zxid(r.first))
	}
	return v.report(f)
}

// nodeCount counts the root once; the tree counts as Apache's does, twice.
func (r *replayed) nodeCount() int {
	if r.tree == nil {
		return 0
	}
	return r.tree.NodeCount() - 1
}
