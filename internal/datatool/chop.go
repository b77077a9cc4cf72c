package datatool

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/internal/storage"
)

func newChop() *cobra.Command {
	var upTo string
	cmd := &cobra.Command{
		Use:   "chop --zxid ZXID LOG [DESTINATION]",
		Short: "Copy a log up to and with one transaction",
		Long: `Writes the transactions of a log up to and with ZXID to another file, as
Apache's TxnLogToolkit -c does: for example to start a server as of before a
mistake. ZXID is decimal, or hexadecimal after 0x. Without DESTINATION the file
is called chopped.<name of the log> and lies beside it.`,
		Example: `  quoll data chop --zxid 0x10000a2f3 log.100000001
  quoll data chop --zxid 0x10000a2f3 log.100000001 /restore/version-2/log.100000001`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			z, err := strconv.ParseInt(upTo, 0, 64)
			if err != nil || z <= 0 {
				return fmt.Errorf("zxid %q is neither decimal nor hexadecimal after 0x", upTo)
			}
			dst := beside(args[0], "chopped.")
			if len(args) > 1 {
				dst = args[1]
			}
			n, err := chop(cmd.Context(), args[0], dst, z)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d transactions up to %s\n", dst, n, zxid(z))
			return err
		},
	}
	cmd.Flags().StringVar(&upTo, "zxid", "", "the last transaction to keep")
	if err := cmd.MarkFlagRequired("zxid"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

// beside is a name in the same directory that neither quoll nor Apache takes
// for a log.
func beside(path, prefix string) string {
	return filepath.Join(filepath.Dir(path), prefix+filepath.Base(path))
}

var errEnough = errors.New("all that is to be kept was read")

func chop(ctx context.Context, src, dst string, upTo int64) (n int64, err error) {
	err = writeNew(dst, func(w io.Writer) error {
		log := newLogWriter(w)
		sum, err := storage.ScanLog(ctx, storage.OS(), src, func(r storage.LogRecord) error {
			if r.Zxid > upTo {
				return errEnough
			}
			n++
			return log.write(r.Entry)
		})
		switch {
		case errors.Is(err, errEnough):
		case err != nil:
			return err
		case sum.Damage != nil:
			return sum.Damage
		case sum.Last < upTo:
			return fmt.Errorf("%s ends at %s, before %s", src, zxid(sum.Last), zxid(upTo))
		}
		if n == 0 {
			return fmt.Errorf("%s begins after %s", src, zxid(upTo))
		}
		return log.w.Flush()
	})
	return n, err
}

// logWriter writes a log record by record.
type logWriter struct {
	w   *bufio.Writer
	buf []byte
	err error
}

func newLogWriter(w io.Writer) *logWriter {
	l := &logWriter{w: bufio.NewWriter(w)}
	_, l.err = l.w.Write(storage.LogHeader())
	return l
}

func (l *logWriter) write(entry []byte) error {
	if l.err != nil {
		return l.err
	}
	b, mark := storage.BeginRecord(l.buf[:0])
	l.buf = storage.EndRecord(append(b, entry...), mark)
	_, l.err = l.w.Write(l.buf)
	return l.err
}
