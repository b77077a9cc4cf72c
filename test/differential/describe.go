package differential

import (
	"fmt"
	"strings"

	"github.com/quollhq/quoll/internal/proto"
)

// describe shows a request's body to people. One that is malformed is shown in hexadecimal, too.
func describe(op proto.Op, body []byte) string {
	c := cursor{b: body}
	text := fields(op, &c)
	if c.bad {
		return fmt.Sprintf("%s (malformed: %x)", text, head(body))
	}
	if len(c.b) > 0 {
		text += fmt.Sprintf(" then %x", head(c.b))
	}
	return text
}

func fields(op proto.Op, c *cursor) string {
	switch op {
	case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
		text := fmt.Sprintf("%s data=%s acl=%s flags=%d", quoted(c.buffer()), quoted(c.buffer()), acls(c, false), c.int())
		if op == proto.OpCreateTTL {
			text += fmt.Sprintf(" ttl=%d", c.long())
		}
		return text
	case proto.OpDelete, proto.OpCheck:
		return fmt.Sprintf("%s version=%d", quoted(c.buffer()), c.int())
	case proto.OpSetData:
		return fmt.Sprintf("%s data=%s version=%d", quoted(c.buffer()), quoted(c.buffer()), c.int())
	case proto.OpSetACL:
		return fmt.Sprintf("%s acl=%s version=%d", quoted(c.buffer()), acls(c, false), c.int())
	case proto.OpExists, proto.OpGetData, proto.OpGetChildren, proto.OpGetChildren2:
		return fmt.Sprintf("%s watch=%v", quoted(c.buffer()), c.bool())
	case proto.OpGetACL, proto.OpSync, proto.OpGetAllChildrenNumber, proto.OpGetEphemerals, proto.OpDeleteContainer:
		return quoted(c.buffer())
	case proto.OpAddWatch, proto.OpRemoveWatches, proto.OpCheckWatches:
		return fmt.Sprintf("%s kind=%d", quoted(c.buffer()), c.int())
	case proto.OpAuth:
		return fmt.Sprintf("type=%d %s %s", c.int(), quoted(c.buffer()), quoted(c.buffer()))
	case proto.OpSASL:
		return quoted(c.buffer())
	case proto.OpReconfig:
		return fmt.Sprintf("joining=%s leaving=%s members=%s config=%d",
			quoted(c.buffer()), quoted(c.buffer()), quoted(c.buffer()), c.long())
	case proto.OpSetWatches, proto.OpSetWatches2:
		return watchFields(op, c)
	case proto.OpMulti, proto.OpMultiRead:
		return multiFields(c)
	}
	return ""
}

func watchFields(op proto.Op, c *cursor) string {
	text := fmt.Sprintf("since 0x%x", uint64(c.long()))
	names := []string{"data", "exist", "child", "persistent", "recursive"}
	if op == proto.OpSetWatches {
		names = names[:3]
	}
	for _, name := range names {
		var paths []string
		for range c.int() {
			if c.bad {
				break
			}
			paths = append(paths, quoted(c.buffer()))
		}
		text += fmt.Sprintf(" %s=%v", name, paths)
	}
	return text
}

func multiFields(c *cursor) string {
	var b strings.Builder
	for !c.bad {
		op, done, _ := proto.Op(c.int()), c.bool(), c.int()
		if done {
			break
		}
		fmt.Fprintf(&b, "\n             %s %s", op, fields(op, c))
	}
	return b.String()
}
