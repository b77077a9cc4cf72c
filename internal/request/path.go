package request

import (
	"strings"
	"unicode/utf8"

	"github.com/quollhq/quoll/internal/proto"
)

// validPath tells whether path may name a znode, by the rules of Apache's
// clients and server: absolute, without empty, "." or ".." segments, without a
// trailing slash, without control characters, surrogates (so nothing beyond
// the basic multilingual plane), private-use or special code points. Bytes
// that are not UTF-8 count as U+FFFD, which is among the specials.
func validPath(path string) bool {
	if path == "" || path[0] != '/' {
		return false
	}
	if len(path) == 1 {
		return true
	}
	segment := 1 // where the current segment starts
	for i := 1; i < len(path); i++ {
		c := path[i]
		switch {
		case c == '/':
			if !validSegment(path[segment:i]) {
				return false
			}
			segment = i + 1
		case c < 0x20 || c == 0x7f:
			return false
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(path[i:])
			if !validRune(r) {
				return false
			}
			i += n - 1
		}
	}
	return validSegment(path[segment:])
}

func validSegment(s string) bool { return s != "" && s != "." && s != ".." }

func validRune(r rune) bool {
	return !(r >= 0x7f && r <= 0x9f || r >= 0xd800 && r <= 0xf8ff || r >= 0xfff0)
}

// parentOf is the path of the parent as the wire's rules see it: what stands
// before the last slash, "" for the root. It refuses paths without a slash or
// with a NUL.
func parentOf(path string) (string, proto.Code) {
	slash := strings.LastIndexByte(path, '/')
	if slash < 0 || strings.IndexByte(path, 0) >= 0 {
		return "", proto.BadArguments
	}
	return path[:slash], proto.OK
}

// special tells whether path belongs to the server and cannot be deleted.
func special(path string) bool {
	switch path {
	case "/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config":
		return true
	}
	return false
}
