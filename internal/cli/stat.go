package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/quollhq/quoll/client"
)

// javaDate is how Java prints a Date.
const javaDate = "Mon Jan 02 15:04:05 MST 2006"

func printStat(w io.Writer, s client.Stat) {
	fmt.Fprintf(w, "cZxid = %s\n", hex(s.Czxid))
	fmt.Fprintf(w, "ctime = %s\n", s.Created().Format(javaDate))
	fmt.Fprintf(w, "mZxid = %s\n", hex(s.Mzxid))
	fmt.Fprintf(w, "mtime = %s\n", s.Modified().Format(javaDate))
	fmt.Fprintf(w, "pZxid = %s\n", hex(s.Pzxid))
	fmt.Fprintf(w, "cversion = %d\n", s.Cversion)
	fmt.Fprintf(w, "dataVersion = %d\n", s.Version)
	fmt.Fprintf(w, "aclVersion = %d\n", s.Aversion)
	fmt.Fprintf(w, "ephemeralOwner = %s\n", hex(s.EphemeralOwner))
	fmt.Fprintf(w, "dataLength = %d\n", s.DataLength)
	fmt.Fprintf(w, "numChildren = %d\n", s.NumChildren)
}

// hex is a zxid or session as Apache prints it.
func hex(n int64) string { return fmt.Sprintf("0x%x", uint64(n)) }

// statDoc is a Stat in JSON. Numbers of 64 bits are strings: most readers of
// JSON would round them.
type statDoc struct {
	Czxid          string    `json:"cZxid"`
	Ctime          time.Time `json:"ctime"`
	Mzxid          string    `json:"mZxid"`
	Mtime          time.Time `json:"mtime"`
	Pzxid          string    `json:"pZxid"`
	Cversion       int32     `json:"cversion"`
	Version        int32     `json:"dataVersion"`
	Aversion       int32     `json:"aclVersion"`
	EphemeralOwner string    `json:"ephemeralOwner"`
	DataLength     int32     `json:"dataLength"`
	NumChildren    int32     `json:"numChildren"`
}

func newStatDoc(s client.Stat) *statDoc {
	return &statDoc{
		Czxid: hex(s.Czxid), Ctime: s.Created().UTC(), Mzxid: hex(s.Mzxid), Mtime: s.Modified().UTC(), Pzxid: hex(s.Pzxid),
		Cversion: s.Cversion, Version: s.Version, Aversion: s.Aversion, EphemeralOwner: hex(s.EphemeralOwner),
		DataLength: s.DataLength, NumChildren: s.NumChildren,
	}
}
