package datatool

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/internal/storage"
)

// NewCommand is `quoll data`.
func NewCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "data",
		Short: "Look at, verify, convert and mend logs and snapshots",
		Long: `Works on the files of a ZooKeeper server, quoll's or Apache's: transaction logs
(log.<zxid>) and snapshots (snapshot.<zxid>, also .gz and .snappy). A DIR is a
dataDir, or the version-2 directory in it. No command changes a file that is
there, except purge and "recover --replace".`,
		Example: `  quoll data list /var/lib/zookeeper
  quoll data verify /var/lib/zookeeper --log-dir /var/log/zookeeper
  quoll data dump /var/lib/zookeeper/version-2/log.100000001
  quoll data dump -o json snapshot.4e | jq -r .path
  quoll data convert --to gz snapshot.4e snapshot.4e.gz`,
		Args: cobra.NoArgs, // a word here is a command that there is not
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newList(), newVerify(), newDump(), newConvert(), newChop(), newRecover(), newSummary(), newCompare(), newPurge())
	return cmd
}

// zxid prints as the logs of ZooKeeper's servers do: in hexadecimal.
type zxid int64

func (z zxid) String() string { return fmt.Sprintf("0x%x", uint64(z)) }

// MarshalText makes it the same in JSON.
func (z zxid) MarshalText() ([]byte, error) { return []byte(z.String()), nil }

// dirs are the directories that a command works on.
type dirs struct{ log string }

func (d *dirs) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&d.log, "log-dir", "", "the dataLogDir, if it is not the dataDir")
}

// resolve makes the argument, a dataDir or its version-2, what storage wants.
func (d *dirs) resolve(arg string) (storage.Dirs, error) {
	log := d.log
	if log == "" {
		log = arg
	}
	for _, dir := range []string{arg, log} {
		if info, err := os.Stat(dir); err == nil && info.Mode().IsRegular() {
			return storage.Dirs{}, fmt.Errorf("%s is a file, want a data directory "+
				"(\"quoll data summary\" reads all of a snapshot and \"quoll data dump\" all of a log, and say what is damaged)", dir)
		}
	}
	return storage.Dirs{Data: withoutVersion(arg), Log: withoutVersion(log)}, nil
}

func withoutVersion(dir string) string {
	if clean := filepath.Clean(dir); filepath.Base(clean) == storage.VersionDir {
		return filepath.Dir(clean)
	}
	return dir
}

// wantFile says that a directory is no file, and names one in it.
func wantFile(path string, logs bool) error {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return nil // who opens it says what is wrong
	}
	dir, fsys := versionDir(withoutVersion(path)), storage.OS()
	what, example := "a snapshot", ""
	if logs {
		what = "a log or a snapshot"
		if list, err := storage.ListLogs(fsys, dir); err == nil && len(list) > 0 {
			example = list[len(list)-1].Path
		}
	}
	if list, err := storage.ListSnapshots(fsys, dir); err == nil && len(list) > 0 {
		example = slices.MaxFunc(list, func(a, b storage.SnapshotFile) int { return cmp.Compare(a.Zxid, b.Zxid) }).Path
	}
	if example == "" {
		return fmt.Errorf("%s is a directory, want %s (there is none in it)", path, what)
	}
	return fmt.Errorf("%s is a directory, want %s in it, for example %s", path, what, example)
}

func versionDir(dir string) string { return filepath.Join(dir, storage.VersionDir) }

// output is what -o says.
type output struct{ format string }

func (o *output) addFlags(cmd *cobra.Command, formats string) {
	cmd.Flags().StringVarP(&o.format, "output", "o", "text", "how to print: "+formats)
}

func (o *output) check(known ...string) error {
	for _, k := range known {
		if o.format == k {
			return nil
		}
	}
	return fmt.Errorf("unknown output %q: it is one of %v", o.format, known)
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// errFound is the failure of a command that has said what is wrong.
type errFound struct{ n int }

func (e *errFound) Error() string { return fmt.Sprintf("%d files are damaged", e.n) }

// Quiet tells that it was printed.
func (e *errFound) Quiet() bool { return true }

// ExitCode is that of the process.
func (e *errFound) ExitCode() int { return 1 }

// reason is what is wrong, without the file's name where that was said.
func reason(err error) string {
	var d *storage.DamageError
	if !errors.As(err, &d) {
		return err.Error()
	}
	return fmt.Sprintf("at offset %d: %s", d.Offset, d.Reason)
}
