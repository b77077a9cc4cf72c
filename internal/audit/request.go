package audit

import (
	"strings"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// Request is what the log has to know of a request, apart from its outcome. It
// does not alias the request's memory.
type Request struct {
	operation string
	path      string // as it was asked for
	mode      string // of a create
	acl       string // of a setACL
	modes     map[string]string
}

// operation is the name of an op in the log; empty for those that are not in it.
func operation(op proto.Op) string {
	switch op {
	case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
		return Create
	case proto.OpDelete, proto.OpDeleteContainer:
		return Delete
	case proto.OpSetData:
		return SetData
	case proto.OpSetACL:
		return SetACL
	case proto.OpMulti:
		return Multi
	case proto.OpReconfig:
		return Reconfig
	}
	return ""
}

// Describe gets out of a request what the log needs. ok is false for requests
// that are not logged: reads, those of a kind that Apache does not log either,
// and malformed ones.
func Describe(op proto.Op, body []byte) (r Request, ok bool) {
	r.operation = operation(op)
	d := jute.NewDecoder(body)
	switch r.operation {
	case Create:
		var c proto.CreateRequest
		c.Decode(&d, op)
		r.path, r.mode = strings.Clone(c.Path), mode(c.Flags)
	case Delete, SetData:
		r.path = d.String()
	case SetACL:
		r.path = d.String()
		r.acl = aclText(proto.DecodeACLs(&d))
	case Multi:
		r.modes = modes(&d)
	case "":
		return Request{}, false
	}
	if d.Err() != nil {
		return Request{}, false
	}
	return r, true
}

var modeNames = [...]string{
	proto.FlagPersistent:              "persistent",
	proto.FlagEphemeral:               "ephemeral",
	proto.FlagPersistentSequential:    "persistent_sequential",
	proto.FlagEphemeralSequential:     "ephemeral_sequential",
	proto.FlagContainer:               "container",
	proto.FlagPersistentTTL:           "persistent_with_ttl",
	proto.FlagPersistentSequentialTTL: "persistent_sequential_with_ttl",
}

// mode is the name of create flags; empty for flags that do not exist. (Apache
// does not log a create with such flags at all.)
func mode(flags int32) string {
	if flags < 0 || int(flags) >= len(modeNames) {
		return ""
	}
	return modeNames[flags]
}

// modes gives the modes of the creates of a multi by the path asked for. As with
// Apache, a part is later looked up by the path that it got, so that sequential
// ones have no type in the log, and neither have those with a time to live.
func modes(d *jute.Decoder) map[string]string {
	modes := make(map[string]string)
	for {
		var h proto.MultiHeader
		if h.Decode(d); h.Done || d.Err() != nil {
			return modes
		}
		switch h.Type {
		case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
			var c proto.CreateRequest
			if c.Decode(d, h.Type); h.Type != proto.OpCreateTTL {
				modes[strings.Clone(c.Path)] = mode(c.Flags)
			}
		case proto.OpDelete, proto.OpCheck:
			d.Buffer()
			d.Int()
		case proto.OpSetData:
			d.Buffer()
			d.Buffer()
			d.Int()
		default:
			d.Fail(jute.ErrMalformed)
		}
	}
}

// aclText is how Apache prints a list of ACL entries: one after the other.
func aclText(acl []proto.ACL) string {
	var b strings.Builder
	for _, a := range acl {
		b.WriteString(a.Scheme)
		b.WriteByte(':')
		b.WriteString(a.ID)
		b.WriteByte(':')
		for i, bit := range [...]int32{proto.PermCreate, proto.PermDelete, proto.PermRead, proto.PermWrite, proto.PermAdmin} {
			if a.Perms&bit != 0 {
				b.WriteByte("cdrwa"[i])
			}
		}
	}
	return b.String()
}
