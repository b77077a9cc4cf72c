package datatool

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

func newSummary() *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "summary SNAPSHOT [PATH [DEPTH]]",
		Short: "Sum up nodes and bytes below each node of a snapshot",
		Long: `Prints, as Apache's SnapshotRecursiveSummary does, how many nodes lie below a
node and how many bytes of data they have, for PATH (by default /) and what lies
below it up to DEPTH levels (by default 1; 0 for all). Nodes without children
are left out of the text.`,
		Example: `  quoll data summary snapshot.4e
  quoll data summary snapshot.4e /app 2
  quoll data summary -o json snapshot.4e / 0 | jq -s 'sort_by(-.bytes)[:10]'`,
		Args: cobra.RangeArgs(1, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check("text", "json"); err != nil {
				return err
			}
			path, depth := "/", 1
			if len(args) > 1 {
				path = args[1]
			}
			if len(args) > 2 {
				n, err := strconv.Atoi(args[2])
				if err != nil || n < 0 {
					return fmt.Errorf("depth %q is not a number of levels", args[2])
				}
				depth = n
			}
			if err := wantFile(args[0], false); err != nil {
				return err
			}
			root, _, err := readSizes(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			n := root.find(path)
			if n == nil {
				return fmt.Errorf("no node %s in %s", path, args[0])
			}
			return summarize(cmd.OutOrStdout(), n, 0, depth, out.format == "json")
		},
	}
	out.addFlags(cmd, "text or json (a line for each node)")
	return cmd
}

func summarize(w io.Writer, n *sized, level, depth int, asJSON bool) error {
	var err error
	if len(n.children) == 0 && level > 0 && !asJSON {
		return nil // as Apache's: its size is in its parent's
	}
	if asJSON {
		err = printJSON(w, struct {
			Path  string `json:"path"`
			Level int    `json:"level"`
			Below int    `json:"below"`
			Bytes int64  `json:"bytes"`
		}{n.path, level, n.below, n.total})
	} else {
		dash := strings.Repeat("--", level)
		_, err = fmt.Fprintf(w, "%s %s\n%s   children: %d\n%s   data: %d\n", dash, text(n.path), dash, n.below, dash, n.total)
	}
	if err != nil || depth > 0 && level == depth {
		return err
	}
	for _, c := range n.children {
		if err := summarize(w, c, level+1, depth, asJSON); err != nil {
			return err
		}
	}
	return nil
}
