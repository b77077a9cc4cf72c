package datatool

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/internal/storage"
)

func newPurge() *cobra.Command {
	var d dirs
	var keep int
	cmd := &cobra.Command{
		Use:   "purge DIR -n COUNT",
		Short: "Remove old snapshots and the logs that none of the others needs",
		Long: `Keeps the COUNT newest snapshots and every log that one of them needs, and
removes what is older, as Apache's zkCleanup.sh does. It removes at once and
prints what it has removed: "quoll data list DIR" shows before what there is.
A server may run.`,
		Example: `  quoll data purge /var/lib/zookeeper -n 3
  quoll data purge /var/lib/zookeeper --log-dir /var/log/zookeeper -n 5`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if keep < storage.MinRetain {
				return fmt.Errorf("-n %d: keep at least %d snapshots", keep, storage.MinRetain)
			}
			in, err := d.resolve(args[0])
			if err != nil {
				return err
			}
			s, err := storage.Open(storage.Options{Dirs: in, ReadOnly: true})
			if err != nil {
				return err
			}
			removed, err := s.Purge(cmd.Context(), keep)
			for _, path := range removed {
				if _, perr := fmt.Fprintln(cmd.OutOrStdout(), "removed", path); perr != nil {
					return errors.Join(err, perr)
				}
			}
			if errors.Is(err, fs.ErrPermission) {
				return fmt.Errorf("%w: run it as the user who owns the files", err)
			}
			return err
		},
	}
	d.addFlags(cmd)
	cmd.Flags().IntVarP(&keep, "count", "n", storage.MinRetain, "how many snapshots to keep")
	return cmd
}
