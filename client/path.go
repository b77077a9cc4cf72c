package client

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// PathError tells what is wrong with a path. It is [ErrBadArguments].
type PathError struct {
	Path   string
	Reason string
}

// Error says what is wrong, in the words that Apache's client uses.
func (e *PathError) Error() string { return e.Reason }

// Is makes a PathError match ErrBadArguments.
func (e *PathError) Is(target error) bool { return target == error(ErrBadArguments) }

// ValidatePath tells whether a node can have this path: it starts with a
// slash, does not end with one, and none of its names is empty, "." or "..",
// or holds a control character or one beyond the basic multilingual plane.
// The error is a [PathError].
func ValidatePath(path string) error {
	switch {
	case path == "":
		return &PathError{path, "Path length must be > 0"}
	case path[0] != '/':
		return &PathError{path, "Path must start with / character"}
	case len(path) == 1:
		return nil
	case path[len(path)-1] == '/':
		return &PathError{path, "Path must not end with / character"}
	}
	if plain(path) {
		return nil
	}
	if at, what := invalidAt(path); what != "" {
		return &PathError{path, fmt.Sprintf("Invalid path string \"%s\" caused by %s @%d", path, what, at)}
	}
	return nil
}

// plain tells, fast, that a path of printable ASCII has no empty or dot names.
func plain(path string) bool {
	last := byte(0)
	for i := range len(path) {
		c := path[i]
		if c < 0x20 || c >= 0x7f || last == '/' && (c == '/' || c == '.') {
			return false
		}
		last = c
	}
	return true
}

// invalidAt finds the first offence. Positions count UTF-16 units, as servers
// see paths.
func invalidAt(path string) (at int, what string) {
	u := utf16.Encode([]rune(path))
	ends := func(i int) bool { return i+1 == len(u) || u[i+1] == '/' }
	for i := 1; i < len(u); i++ {
		c, last := u[i], u[i-1]
		switch {
		case c == 0:
			return i, "null character not allowed"
		case c == '/' && last == '/':
			return i, "empty node name specified"
		case c == '.' && last == '.' && u[i-2] == '/' && ends(i):
			return i, "relative paths not allowed"
		case c == '.' && last == '/' && ends(i):
			return i, "relative paths not allowed"
		case forbidden(c):
			return i, "invalid character"
		}
	}
	return 0, ""
}

func forbidden(c uint16) bool {
	return c <= 0x1f || c >= 0x7f && c <= 0x9f || c >= 0xd800 && c <= 0xf8ff || c >= 0xfff0
}

// Join appends a child's name to its parent's path.
func Join(parent, name string) string {
	if parent == "/" {
		return "/" + name
	}
	return parent + "/" + name
}

// serverPath is path as the server knows it.
func (c *Client) serverPath(path string) string {
	if c.chroot == "" {
		return path
	}
	if path == "/" {
		return c.chroot
	}
	return c.chroot + path
}

// clientPath is the reverse of serverPath. A path outside of the chroot, such
// as /zookeeper/config, stays as it is.
func (c *Client) clientPath(path string) string {
	if c.chroot == "" {
		return path
	}
	rest, ok := strings.CutPrefix(path, c.chroot)
	switch {
	case ok && rest == "":
		return "/"
	case ok && rest[0] == '/':
		return rest
	}
	return path
}
