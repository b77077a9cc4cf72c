package zk

import (
	"strconv"
	"strings"

	"github.com/quollhq/quoll/client"
)

// FormatServers appends the [DefaultPort] to servers without one.
func FormatServers(servers []string) []string {
	list := make([]string, len(servers))
	for i, s := range servers {
		if !strings.Contains(s, ":") {
			s += ":" + strconv.Itoa(DefaultPort)
		}
		list[i] = s
	}
	return list
}

// validatePath fails with ErrInvalidPath if no node can have this path, or, of a
// sequential node, this prefix.
func validatePath(path string, isSequential bool) error {
	if isSequential {
		path += "1"
	}
	if client.ValidatePath(path) != nil {
		return ErrInvalidPath
	}
	return nil
}
