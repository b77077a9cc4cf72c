package datatool

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// dumpNcdu prints a snapshot in ncdu's export format, as SnapshotFormatter
// -json does.
func dumpNcdu(ctx context.Context, w io.Writer, path string) error {
	root, _, err := readSizes(ctx, path)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, `[1,0,{"progname":"quoll","progver":"1","timestamp":%d}`, time.Now().UnixMilli()); err != nil {
		return err
	}
	inode := 1000
	if err := ncduNode(w, root, &inode); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, "]")
	return err
}

func ncduNode(w io.Writer, n *sized, inode *int) error {
	*inode++ // ncdu takes equal ones for links
	name, err := json.Marshal(n.name)
	if err != nil {
		return err
	}
	self := fmt.Sprintf(`{"name":%s,"asize":%d,"dsize":%d,"dev":0,"ino":%d}`, name, n.data, n.data, *inode)
	if len(n.children) == 0 {
		_, err := fmt.Fprint(w, ",", self)
		return err
	}
	if _, err := fmt.Fprint(w, ",[", self); err != nil {
		return err
	}
	for _, c := range n.children {
		if err := ncduNode(w, c, inode); err != nil {
			return err
		}
	}
	_, err = fmt.Fprint(w, "]")
	return err
}
