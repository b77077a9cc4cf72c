package differential

import (
	"fmt"
	"strings"

	"github.com/quollhq/quoll/internal/proto"
)

// walker is the slot that looks at whole trees.
const walker = slots

// walk compares the whole trees: names, data, stats, ACLs.
type walk struct{}

func (walk) String() string { return "compare the trees" }

// run looks at every znode as super, in order of the paths.
func (walk) run(w *world) observation {
	o := open{slot: walker, timeout: leastTimeout, passwd: make([]byte, 16)}.run(w)
	if o.closed {
		return o
	}
	w.converse(walker, []request{authRequest(super)}, &o)
	queue := []string{"/"}
	for len(queue) > 0 && w.clients[walker].wire != nil {
		path := queue[0]
		queue = queue[1:]
		for _, name := range w.look(path, &o) {
			queue = append(queue, strings.TrimSuffix(path, "/")+"/"+name)
		}
	}
	if w.clients[walker].wire != nil {
		w.converse(walker, []request{{xid: 1, op: proto.OpCloseSession}}, &o)
	}
	o.replies = nil
	return o
}

// look notes everything about one znode and returns its children.
func (w *world) look(path string, o *observation) []string {
	one := observation{}
	name := putString(nil, path)
	w.converse(walker, []request{
		{op: proto.OpGetData, body: putBool(name, false)},
		{op: proto.OpGetACL, body: name},
		{op: proto.OpGetChildren2, body: putBool(name, false)},
	}, &one)
	for _, line := range one.lines {
		o.lines = append(o.lines, fmt.Sprintf("%q: %s", path, line))
	}
	if len(one.replies) < 3 || one.replies[2].results == nil {
		return nil
	}
	return one.replies[2].results[0].list
}
