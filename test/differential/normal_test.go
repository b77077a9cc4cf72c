package differential

import (
	"slices"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/proto"
)

// eventFrame is a notification.
func eventFrame(zxid int64, path string) []byte {
	return putString(putInt(putInt(putInt(putLong(putInt(nil, -1), zxid), 0), 2), 3), path)
}

// The events of a closing session are sorted; all others keep their order.
func TestEventsOfOneClosingAreSorted(t *testing.T) {
	w := newWorld("test", "")
	w.closing[7] = true
	var o observation
	for _, e := range []struct {
		zxid int64
		path string
	}{{5, "/z"}, {6, "/a"}, {7, "/c"}, {7, "/b"}, {8, "/y"}, {8, "/x"}} {
		w.unasked(eventFrame(e.zxid, e.path), &o)
	}
	o.finish(w)
	var got []string
	for _, line := range o.lines {
		got = append(got, line[strings.LastIndex(line, " ")+1:])
	}
	if want := []string{`"/z"`, `"/a"`, `"/b"`, `"/c"`, `"/y"`, `"/x"`}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Every byte of a reply shows in its normal form, but for times, session ids and the order of lists.
func TestNormalFormShowsEveryByte(t *testing.T) {
	stat := make([]byte, proto.StatLen)
	reply := append(putLong(putInt(nil, 3), 9), 0, 0, 0, 0)
	reply = append(putBuffer(reply, []byte("data")), stat...)
	r := request{xid: 3, op: proto.OpGetData}
	text := func(frame []byte) string { return newWorld("test", "").reply(r, frame).text }
	whole := text(reply)
	for i := range reply {
		changed := slices.Clone(reply)
		changed[i] ^= 1
		if at := i - 24; at >= 16 && at < 32 {
			continue // ctime and mtime
		}
		if text(changed) == whole {
			t.Errorf("byte %d does not matter", i)
		}
	}
	if text(append(slices.Clone(reply), 0)) == whole {
		t.Error("a byte too many does not matter")
	}
}

// A znode's times are those of its transactions.
func TestTimesAreThoseOfTransactions(t *testing.T) {
	w := newWorld("test", "")
	first := proto.Stat{Czxid: 1, Mzxid: 2, Ctime: 100, Mtime: 101}
	if wrong := w.checkTimes(&first); wrong != "" {
		t.Error(wrong)
	}
	if wrong := w.checkTimes(&proto.Stat{Czxid: 2, Mzxid: 2, Ctime: 101, Mtime: 101}); wrong != "" {
		t.Error(wrong)
	}
	if w.checkTimes(&proto.Stat{Czxid: 1, Mzxid: 1, Ctime: 100, Mtime: 99}) == "" {
		t.Error("an mtime that no transaction had is not noticed")
	}
}

// The same seed draws the same steps.
func TestSeedsReplay(t *testing.T) {
	draw := func() string {
		g := newGenerator(5)
		var steps []step
		for range 500 {
			s := g.next()
			steps = append(steps, s)
			g.learn(s, observation{closed: false})
		}
		return transcript(steps)
	}
	first, second := draw(), draw()
	if first != second {
		t.Error("one seed draws two sequences")
	}
}
