package bench

import (
	"encoding/binary"
	"testing"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

func testShape() shape {
	return shape{keys: keyspace{root: "/bench", parents: 3}, size: 10, known: true, multiSize: 4, multiKind: kindSet}
}

// open checks a template's frame and returns a decoder of its body.
func open(t *testing.T, tmpl template, op proto.Op) jute.Decoder {
	t.Helper()
	if n := int(binary.BigEndian.Uint32(tmpl.frame)); n != len(tmpl.frame)-lengthLen {
		t.Errorf("length word %d in a frame of %d bytes", n, len(tmpl.frame))
	}
	d := jute.NewDecoder(tmpl.frame[lengthLen:])
	var h proto.RequestHeader
	h.Decode(&d)
	if h.Op != op {
		t.Errorf("opcode %v, want %v", h.Op, op)
	}
	return d
}

func closed(t *testing.T, d *jute.Decoder) {
	t.Helper()
	if d.Err() != nil || d.Len() != 0 {
		t.Errorf("error %v, %d bytes left", d.Err(), d.Len())
	}
}

func TestTemplatesAreTheProtocol(t *testing.T) {
	s := testShape()
	all := s.templates()
	const path = "/bench/p00000/k000000000"

	d := open(t, all[kindCreate], proto.OpCreate)
	var create proto.CreateRequest
	create.Decode(&d, proto.OpCreate)
	closed(t, &d)
	if string(create.Path) != path || len(create.Data) != 10 || create.Flags != proto.FlagPersistent {
		t.Errorf("create %q, %d bytes, flags %d", create.Path, len(create.Data), create.Flags)
	}

	d = open(t, all[kindSet], proto.OpSetData)
	if p, v, version := d.String(), d.Buffer(), d.Int(); p != path || len(v) != 10 || version != -1 {
		t.Errorf("set %s, %d bytes, version %d", p, len(v), version)
	}
	closed(t, &d)

	for k, op := range map[kind]proto.Op{kindGet: proto.OpGetData, kindExists: proto.OpExists} {
		d = open(t, all[k], op)
		if p, watch := d.String(), d.Bool(); p != path || watch {
			t.Errorf("%v %s, watch %v", k, p, watch)
		}
		closed(t, &d)
	}

	d = open(t, all[kindChildren], proto.OpGetChildren2)
	if p := d.String(); p != "/bench/p00000" {
		t.Errorf("children of %s", p)
	}
	d.Bool()
	closed(t, &d)
}

func TestMultiTemplate(t *testing.T) {
	for sub, op := range map[kind]proto.Op{kindSet: proto.OpSetData, kindCreate: proto.OpCreate, kindExists: proto.OpCheck} {
		s := testShape()
		s.multiKind = sub
		tmpl := s.multi()
		if len(tmpl.keys) != s.multiSize {
			t.Errorf("%d paths, want %d", len(tmpl.keys), s.multiSize)
		}
		for i, at := range tmpl.keys {
			s.keys.patch(tmpl.frame[at:], int64(i))
		}
		d := open(t, tmpl, proto.OpMulti)
		for i := range s.multiSize {
			var h proto.MultiHeader
			h.Decode(&d)
			if h.Type != op || h.Done {
				t.Fatalf("operation %d: %+v", i, h)
			}
			if p := d.String(); p != s.keys.path(int64(i)) {
				t.Errorf("operation %d is about %s", i, p)
			}
			skipRest(&d, sub)
		}
		var h proto.MultiHeader
		h.Decode(&d)
		if !h.Done {
			t.Errorf("end: %+v", h)
		}
		closed(t, &d)
	}
}

func skipRest(d *jute.Decoder, k kind) {
	switch k {
	case kindSet:
		d.Buffer()
	case kindCreate:
		d.Buffer()
		proto.DecodeACLs(d)
	}
	d.Int()
}

func TestWatchTemplates(t *testing.T) {
	for mode, op := range map[watchMode]proto.Op{
		watchExists: proto.OpExists, watchData: proto.OpGetData, watchChildren: proto.OpGetChildren2,
		watchPersistent: proto.OpAddWatch, watchRecursive: proto.OpAddWatch,
	} {
		s := testShape()
		s.watch = mode
		d := open(t, s.watchRequest(), op)
		d.Buffer()
		if op == proto.OpAddWatch {
			if m := d.Int(); (m == proto.WatchPersistentRecursive) != (mode == watchRecursive) {
				t.Errorf("mode %d", m)
			}
		} else if !d.Bool() {
			t.Errorf("%v leaves no watch", op)
		}
		closed(t, &d)
	}
}
