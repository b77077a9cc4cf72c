package datatool

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

func newCompare() *cobra.Command {
	var out output
	var c comparison
	cmd := &cobra.Command{
		Use:   "compare LEFT RIGHT",
		Short: "Tell how two snapshots differ",
		Long: `Compares two snapshots, of any compression and any server, node by node: data,
access control lists, and everything that the server keeps of a node. Prints

  - PATH   what only the left one has, with how much lies below it
  + PATH   what only the right one has
  ~ PATH   what both have and what differs

and "same" if nothing does. With -b or -n only nodes whose size with all below,
or whose number of nodes below, differs by more are printed, as Apache's
SnapshotComparer does. The exit code is 0 if they are the same, 1 if not.`,
		Example: `  quoll data compare snapshot.4e snapshot.50
  quoll data compare --data-only left/snapshot.4e right/snapshot.50.gz
  quoll data compare -b 1000000 -n 1000 monday tuesday`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check("text", "json"); err != nil {
				return err
			}
			c.w, c.json = cmd.OutOrStdout(), out.format == "json"
			left, _, err := readSizes(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			right, _, err := readSizes(cmd.Context(), args[1])
			if err != nil {
				return err
			}
			return c.run(left, right)
		},
	}
	out.addFlags(cmd, "text or json (a line for each difference)")
	cmd.Flags().Int64VarP(&c.bytes, "bytes", "b", -1, "print only where the bytes of a node and all below differ by more")
	cmd.Flags().IntVarP(&c.nodes, "nodes", "n", -1, "print only where the number of nodes below differs by more")
	cmd.Flags().BoolVar(&c.dataOnly, "data-only", false, "compare data and access control lists, not zxids, times, versions and owners")
	return cmd
}

type comparison struct {
	w        io.Writer
	json     bool
	bytes    int64 // thresholds, -1: none
	nodes    int
	dataOnly bool
	found    int
}

// difference is a line of the report.
type difference struct {
	Side       string   `json:"side"` // "left", "right" or "both"
	Path       string   `json:"path"`
	Fields     []string `json:"fields,omitempty"` // of one on both sides
	LeftBytes  int64    `json:"left_bytes"`       // with all below
	RightBytes int64    `json:"right_bytes"`
	LeftBelow  int      `json:"left_below"`
	RightBelow int      `json:"right_below"`
}

// errDiffer is the failure of a comparison that has printed the differences.
type errDiffer struct{ n int }

func (e *errDiffer) Error() string { return fmt.Sprintf("the snapshots differ in %d places", e.n) }

// Quiet tells that it was printed.
func (e *errDiffer) Quiet() bool { return true }

// ExitCode is that of the process.
func (e *errDiffer) ExitCode() int { return 1 }

func (c *comparison) run(left, right *sized) error {
	if err := c.both(left, right); err != nil {
		return err
	}
	if c.found > 0 {
		return &errDiffer{c.found}
	}
	if c.json {
		return nil
	}
	_, err := fmt.Fprintln(c.w, "same")
	return err
}

func (c *comparison) both(l, r *sized) error {
	if fields := c.fields(l, r); len(fields) > 0 {
		d := difference{"both", l.path, fields, l.total, r.total, l.below, r.below}
		if err := c.report(d); err != nil {
			return err
		}
	}
	i, k := 0, 0
	for i < len(l.children) || k < len(r.children) {
		var err error
		switch {
		case k == len(r.children) || i < len(l.children) && l.children[i].name < r.children[k].name:
			n := l.children[i]
			i++
			err = c.report(difference{Side: "left", Path: n.path, LeftBytes: n.total, LeftBelow: n.below})
		case i == len(l.children) || r.children[k].name < l.children[i].name:
			n := r.children[k]
			k++
			err = c.report(difference{Side: "right", Path: n.path, RightBytes: n.total, RightBelow: n.below})
		default:
			err = c.both(l.children[i], r.children[k])
			i++
			k++
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fields names what differs of a node itself; with thresholds, what lies below counts too.
func (c *comparison) fields(l, r *sized) []string {
	var list []string
	add := func(name string, differs bool) {
		if differs {
			list = append(list, name)
		}
	}
	if c.bytes >= 0 || c.nodes >= 0 {
		add("bytes", l.total != r.total)
		add("nodes", l.below != r.below)
		return list
	}
	add("data or acl", l.content != r.content)
	if c.dataOnly {
		return list
	}
	a, b := &l.stat, &r.stat
	add("czxid", a.Czxid != b.Czxid)
	add("mzxid", a.Mzxid != b.Mzxid)
	add("pzxid", a.Pzxid != b.Pzxid)
	add("ctime", a.Ctime != b.Ctime)
	add("mtime", a.Mtime != b.Mtime)
	add("version", a.Version != b.Version)
	add("cversion", a.Cversion != b.Cversion)
	add("aversion", a.Aversion != b.Aversion)
	add("owner", a.EphemeralOwner != b.EphemeralOwner)
	return list
}

func (c *comparison) report(d difference) error {
	if c.below(d) {
		return nil
	}
	c.found++
	if c.json {
		return printJSON(c.w, d)
	}
	var err error
	switch d.Side {
	case "left":
		_, err = fmt.Fprintf(c.w, "- %s (%d nodes below, %d bytes)\n", text(d.Path), d.LeftBelow, d.LeftBytes)
	case "right":
		_, err = fmt.Fprintf(c.w, "+ %s (%d nodes below, %d bytes)\n", text(d.Path), d.RightBelow, d.RightBytes)
	default:
		_, err = fmt.Fprintf(c.w, "~ %s: %s (%d and %d nodes below, %d and %d bytes)\n", text(d.Path), strings.Join(d.Fields, ", "),
			d.LeftBelow, d.RightBelow, d.LeftBytes, d.RightBytes)
	}
	return err
}

// below tells whether a difference is too small to be printed.
func (c *comparison) below(d difference) bool {
	if c.bytes < 0 && c.nodes < 0 {
		return false
	}
	big := c.bytes >= 0 && abs(d.LeftBytes-d.RightBytes) > c.bytes
	many := c.nodes >= 0 && abs(int64(d.LeftBelow-d.RightBelow)) > int64(c.nodes)
	return !big && !many
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}
