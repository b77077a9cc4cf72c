package cli

import (
	"fmt"
	"strings"
)

// hexDump lays bytes out as Apache's CLI does.
func hexDump(data []byte) string {
	if len(data) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("         +-------------------------------------------------+\n" +
		"         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |\n" +
		"+--------+-------------------------------------------------+----------------+")
	for at := 0; at < len(data); at += 16 {
		row := data[at:min(at+16, len(data))]
		fmt.Fprintf(&b, "\n|%08x| %-47s |%-16s|", at, fmt.Sprintf("% x", row), printable(row))
	}
	b.WriteString("\n+--------+-------------------------------------------------+----------------+")
	return b.String()
}

func printable(row []byte) string {
	s := make([]byte, len(row))
	for i, c := range row {
		if c <= 0x1f || c >= 0x7f {
			c = '.'
		}
		s[i] = c
	}
	return string(s)
}
