package differential

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/quollhq/quoll/internal/proto"
)

// maxBuffer is jute.maxbuffer of both servers: small, so that what is too large is cheap.
const maxBuffer = 100_000

// weights are how often which operation is drawn.
var weights = []struct {
	op     proto.Op
	weight int
}{
	{proto.OpCreate, 140}, {proto.OpCreate2, 60}, {proto.OpCreateContainer, 25}, {proto.OpCreateTTL, 30},
	{proto.OpDelete, 130}, {proto.OpDeleteContainer, 15}, {proto.OpSetData, 100}, {proto.OpSetACL, 40},
	{proto.OpExists, 70}, {proto.OpGetData, 80}, {proto.OpGetACL, 35}, {proto.OpGetChildren, 40},
	{proto.OpGetChildren2, 50}, {proto.OpGetAllChildrenNumber, 20}, {proto.OpGetEphemerals, 20},
	{proto.OpSync, 20}, {proto.OpMulti, 80}, {proto.OpMultiRead, 30}, {proto.OpAddWatch, 40},
	{proto.OpRemoveWatches, 30}, {proto.OpCheckWatches, 20}, {proto.OpSetWatches, 12}, {proto.OpSetWatches2, 12},
	{proto.OpWhoAmI, 10}, {proto.OpPing, 10}, {proto.OpReconfig, 4}, {proto.OpSASL, 3},
}

func (g *generator) op() proto.Op {
	total := 0
	for _, w := range weights {
		total += w.weight
	}
	n := g.rng.IntN(total)
	for _, w := range weights {
		if n -= w.weight; n < 0 {
			return w.op
		}
	}
	panic("unreachable: n is below the sum of the weights")
}

// request draws a request that the server answers.
func (g *generator) request(slot int) request {
	op := g.op()
	if g.batch && op == proto.OpSASL {
		op = proto.OpGetData // Apache's server answers SASL at once, before what came ahead of it
	}
	r := request{xid: g.xid(slot), op: op}
	switch op {
	case proto.OpMulti:
		g.multi(&r)
	case proto.OpMultiRead:
		g.multiRead(&r)
	default:
		h, body := g.operation(op, &r)
		r.hints, r.body = []hint{h}, body
	}
	return r
}

// operation draws the body of one operation.
func (g *generator) operation(op proto.Op, r *request) (hint, []byte) {
	h := hint{op: op}
	var b []byte
	switch op {
	case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
		return g.create(op, r)
	case proto.OpDelete, proto.OpDeleteContainer:
		h.path = g.path()
		if g.chance(70) {
			h.path = g.existing(g.model.leaf)
		}
		b = g.putPath(b, h.path)
		if op == proto.OpDelete {
			b = putInt(b, g.version(h.path))
		}
	case proto.OpCheck:
		h.path = g.path()
		b = putInt(g.putPath(b, h.path), g.version(h.path))
	case proto.OpSetData:
		h.path = g.path()
		b = putInt(putBuffer(g.putPath(b, h.path), g.data(h.path)), g.version(h.path))
	case proto.OpSetACL:
		if h.path = g.path(); h.path == "/" && g.chance(90) {
			h.path = "/a"
		}
		b = putInt(g.acl(g.putPath(b, h.path), r), pick[int32](g, -1, -1, -1, 0, 1, 7))
	case proto.OpExists, proto.OpGetData, proto.OpGetChildren, proto.OpGetChildren2:
		h.path = g.path()
		b = putBool(g.putPath(b, h.path), g.chance(40))
	case proto.OpGetACL, proto.OpGetAllChildrenNumber, proto.OpSync:
		h.path = g.path()
		b = g.putPath(b, h.path)
	case proto.OpGetEphemerals:
		b = g.putPath(b, pick(g, "/", "", "  ", " / ", "/a", "/b", "/a/b", g.path()))
	case proto.OpAddWatch:
		b = putInt(putString(b, g.watched()), pick[int32](g, 0, 1, 0, 1, 0, 1, 0, 1, 2, -1))
	case proto.OpRemoveWatches, proto.OpCheckWatches:
		b = putInt(putString(b, g.watched()), pick[int32](g, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 0, 6, -1))
	case proto.OpSetWatches, proto.OpSetWatches2:
		b = g.setWatches(op)
	case proto.OpReconfig:
		for range 3 {
			b = g.putPath(b, pick(g, "", "1", "server.1=localhost:1:2;3"))
		}
		b = putLong(b, pick[int64](g, -1, 0, 5))
	case proto.OpSASL:
		b = putBuffer(b, pick(g, nil, []byte{}, []byte("token")))
	}
	return h, b
}

func (g *generator) create(op proto.Op, r *request) (hint, []byte) {
	h := hint{op: op, path: g.path()}
	if g.chance(60) {
		parent := g.existing(g.model.pick)
		if strings.Count(parent, "/") < 5 {
			h.path = strings.TrimSuffix(parent, "/") + "/" + g.name()
		}
	}
	flags := pick[int32](g, 0, 0, 0, 0, 1, 1, 2, 3)
	switch {
	case op == proto.OpCreateTTL:
		flags = pick[int32](g, 5, 6)
		if r.op == proto.OpMulti && g.chance(15) {
			flags = pick[int32](g, 0, 1, 2, 3, 4, 7, -1) // alone, Apache's server fails while it applies them
		}
	case op == proto.OpCreateContainer && g.chance(90):
		flags = 4
	case g.chance(4):
		flags = pick[int32](g, 4, 5, 6, 7, -1, math.MaxInt32)
	}
	h.ephemeral = flags == 1 || flags == 3
	b := g.putPath(nil, h.path)
	b = putBuffer(b, g.data(h.path))
	b = putInt(g.acl(b, r), flags)
	if op == proto.OpCreateTTL {
		b = putLong(b, pick(g, 1, 1000, 100_000_000, proto.MaxTTL, proto.MaxTTL+1, 0, -1, math.MinInt64))
	}
	return h, b
}

// version is mostly one that matches.
func (g *generator) version(path string) int32 {
	switch {
	case g.chance(50):
		return -1
	case g.chance(75) && g.model.known[path] != nil:
		return g.model.known[path].version
	}
	return pick[int32](g, 0, 1, 2, -2, math.MaxInt32, math.MinInt32)
}

var letters = []string{"a", "b", "c", "d", "e\u00e9", "q"}

func (g *generator) name() string {
	if g.chance(3) {
		return pick(g, "", ".", "..", "x\x00", "\x1f", "\u20ac", "long"+strings.Repeat("g", 200), "a-", "0")
	}
	return letters[g.rng.IntN(len(letters))]
}

// odd paths are refused by some operations, or by all. Missing is /zookeeper/quota/zookeeper_limits: Apache's server ends when
// it is created.
var odd = []string{
	"", "a", "//", "/a/", "/a//b", "/a/./b", "/a/..", "/.", "/..", "/a/.b", "/...", "/a\x00b", "/a\x01", "/a\x1f",
	"/a\x7f", "/a\u0080", "/a\u009f", "/a\u00a0", "/\ud7ff", "/\ue000", "/\uf8ff", "/\uf900", "/\uffef", "/\ufff0", "/\uffff",
	"/\U0001f600", "/a/\xff\xfe", "/\xed\xa0\x80", "/\xc0\x80", "/\xe2\x82", "\u00e9", "/zookeeper/", "/ ", "/a b", "/\t",
	"/zookeeper/config/a", "/zookeeper/quota/a", "/zookeeperx", "/zookeeper/x",
}

// path is one for any operation.
func (g *generator) path() string {
	for {
		p := g.anyPath()
		// How much of a quota is used, Apache's server reads from what is applied: behind other writes that is a race.
		if !g.batch || !strings.HasPrefix(p, "/q") && !strings.HasPrefix(p, "/zookeeper") {
			return p
		}
	}
}

func (g *generator) anyPath() string {
	switch {
	case g.chance(60):
		return g.model.pick(g.rng)
	case g.chance(8):
		return odd[g.rng.IntN(len(odd))]
	case g.chance(6):
		return pick(g, "/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota", "/zookeeper/quota/q",
			"/zookeeper/quota/q/zookeeper_limits", "/zookeeper/quota/q/zookeeper_stats",
			"/zookeeper/quota/q/a", "/zookeeper/quota/q/a/zookeeper_limits", "/zookeeper/quota/q/a/zookeeper_stats")
	}
	var b strings.Builder
	for range 1 + g.rng.IntN(3) {
		b.WriteString("/" + g.name())
	}
	return b.String()
}

// existing draws from the model what may be written to.
func (g *generator) existing(draw func(*rand.Rand) string) string {
	for range 10 {
		p := draw(g.rng)
		if !g.batch || !strings.HasPrefix(p, "/q") && !strings.HasPrefix(p, "/zookeeper") {
			return p
		}
	}
	return "/a"
}

// watched is a path out of few, so that watches meet each other.
func (g *generator) watched() string {
	return pick(g, "/", "/a", "/b", "/a/b", "/a/a", "/zookeeper", g.path())
}

// putPath encodes a path, now and then null in its place.
func (g *generator) putPath(b []byte, path string) []byte {
	if g.chance(0.3) {
		return putInt(b, -1)
	}
	return putString(b, path)
}

func (g *generator) data(path string) []byte {
	if strings.HasPrefix(path, "/zookeeper/quota/") {
		return []byte(g.quota())
	}
	switch {
	case g.chance(10):
		return nil
	case g.chance(10):
		return []byte{}
	case g.chance(0.3):
		return make([]byte, g.rng.IntN(maxBuffer-1000))
	}
	b := make([]byte, 1+g.rng.IntN(60))
	for i := range b {
		b[i] = byte('a' + g.rng.IntN(26))
	}
	return b
}

// quota is the text of a limits or stats node.
func (g *generator) quota() string {
	n := func() int { return g.rng.IntN(200) - 1 }
	text := fmt.Sprintf("count=%d,bytes=%d", n(), n())
	if g.chance(70) {
		text += fmt.Sprintf("=;byteHardLimit=%d;countHardLimit=%d", n()*5, n()/10)
	}
	return text
}

func (g *generator) setWatches(op proto.Op) []byte {
	b := putLong(nil, pick(g, 0, g.zxid, g.zxid-10, g.zxid-100, g.zxid+100, -1))
	lists := 3
	if op == proto.OpSetWatches2 {
		lists = 5
	}
	for range lists {
		var paths []string
		for range g.rng.IntN(4) {
			paths = append(paths, g.watched())
		}
		b = putStrings(b, paths)
	}
	return b
}
