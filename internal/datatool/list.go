package datatool

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/internal/storage"
)

func newList() *cobra.Command {
	var d dirs
	var out output
	cmd := &cobra.Command{
		Use:   "list DIR",
		Short: "List snapshots and logs with zxids, counts and sizes",
		Long: `Lists the snapshots and logs of a directory, oldest first. Logs are read to
count their transactions; what is printed of snapshots is in their names.`,
		Example: `  quoll data list /var/lib/zookeeper
  quoll data list /var/lib/zookeeper --log-dir /var/log/zookeeper -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check("text", "json"); err != nil {
				return err
			}
			in, err := d.resolve(args[0])
			if err != nil {
				return err
			}
			files, err := list(cmd.Context(), in)
			if err != nil {
				return err
			}
			if out.format == "json" {
				return printEach(cmd.OutOrStdout(), files)
			}
			return printList(cmd.OutOrStdout(), files)
		},
	}
	d.addFlags(cmd)
	out.addFlags(cmd, "text or json (a line for each file)")
	return cmd
}

// file is a line of the list.
type file struct {
	Kind    string     `json:"kind"` // "snapshot" or "log"
	Path    string     `json:"path"`
	Zxid    zxid       `json:"zxid"` // of a snapshot; of a log's first transaction
	Last    *zxid      `json:"last_zxid,omitempty"`
	Records *int64     `json:"transactions,omitempty"`
	Size    int64      `json:"bytes"`
	Used    int64      `json:"used_bytes,omitempty"` // of a log: without what is preallocated
	Time    *time.Time `json:"time,omitempty"`
	Note    string     `json:"note,omitempty"`
}

func list(ctx context.Context, d storage.Dirs) ([]file, error) {
	snaps, err := storage.ListSnapshots(storage.OS(), versionDir(d.Data))
	if err != nil {
		return nil, err
	}
	logs, err := storage.ListLogs(storage.OS(), versionDir(d.Log))
	if err != nil {
		return nil, err
	}
	if len(snaps)+len(logs) == 0 {
		return nil, fmt.Errorf("neither snapshots nor logs in %s", versionDir(d.Data))
	}
	var files []file
	for i := len(snaps) - 1; i >= 0; i-- {
		s := snaps[i]
		f := file{Kind: "snapshot", Path: s.Path, Zxid: zxid(s.Zxid), Size: s.Size, Time: &s.ModTime}
		if valid, err := storage.LooksValid(storage.OS(), s.Path); err != nil || !valid {
			f.Note = "unfinished or damaged"
		}
		files = append(files, f)
	}
	for _, l := range logs {
		sum, err := storage.ScanLog(ctx, storage.OS(), l.Path, nil)
		if err != nil {
			return nil, err
		}
		last := zxid(sum.Last)
		f := file{Kind: "log", Path: l.Path, Zxid: zxid(l.First), Last: &last, Records: &sum.Records, Size: sum.Size, Used: sum.End}
		switch {
		case sum.Damage != nil:
			f.Note = "damaged " + reason(sum.Damage)
		case sum.Torn > 0:
			f.Note = fmt.Sprintf("ends in an interrupted write of %d bytes", sum.Torn)
		}
		files = append(files, f)
	}
	return files, nil
}

func printEach(w io.Writer, files []file) error {
	for _, f := range files {
		if err := printJSON(w, f); err != nil {
			return err
		}
	}
	return nil
}

func printList(w io.Writer, files []file) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FILE\tFROM\tTO\tTXNS\tBYTES\tNOTE")
	for _, f := range files {
		switch f.Kind {
		case "snapshot":
			fmt.Fprintf(t, "%s\t%s\t\t\t%d\t%s\n", f.Path, f.Zxid, f.Size, f.Note)
		default:
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%s\n", f.Path, f.Zxid, f.Last, *f.Records, f.Used, f.Note)
		}
	}
	return t.Flush()
}
