package datatool

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/internal/storage"
)

func newDump() *cobra.Command {
	var out output
	var data bool
	cmd := &cobra.Command{
		Use:   "dump FILE...",
		Short: "Print logs and snapshots",
		Long: `Prints logs as Apache's TxnLogToolkit does, a line for each transaction, and
snapshots as its SnapshotFormatter does. What cannot be printed is escaped.

With -o json a line for each transaction or node; data is base64. With -o ncdu a
snapshot becomes what "ncdu -f" reads.`,
		Example: `  quoll data dump log.100000001 log.10000a2f3
  quoll data dump -d snapshot.10000a2f2
  quoll data dump -o json log.1 | jq -r 'select(.type == "create") | .path'
  quoll data dump -o ncdu snapshot.4e | ncdu -f -`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check("text", "json", "ncdu"); err != nil {
				return err
			}
			w := bufio.NewWriter(cmd.OutOrStdout())
			for _, path := range args {
				if err := dump(cmd.Context(), w, path, out.format, data); err != nil {
					return errors.Join(err, w.Flush())
				}
			}
			return w.Flush()
		},
	}
	out.addFlags(cmd, "text, json (a line for each transaction or node) or ncdu (snapshots)")
	cmd.Flags().BoolVarP(&data, "data", "d", false, "with the data of every node (base64), not only its length (snapshots)")
	return cmd
}

func dump(ctx context.Context, w io.Writer, path, format string, data bool) error {
	if err := wantFile(path, true); err != nil {
		return err
	}
	isLog, err := storage.IsLog(storage.OS(), path)
	if err != nil {
		return err
	}
	switch {
	case isLog && format == "text":
		return dumpLogText(ctx, w, path)
	case isLog && format == "json":
		return dumpLogJSON(ctx, w, path)
	case isLog:
		return fmt.Errorf("%s is a log: ncdu is for snapshots", path)
	case format == "ncdu":
		return dumpNcdu(ctx, w, path)
	case format == "json":
		return dumpSnapshotJSON(ctx, w, path)
	}
	return dumpSnapshotText(ctx, w, path, data)
}
