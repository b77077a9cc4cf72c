package peer

import (
	"slices"
	"testing"
)

// Memory comes back in order, and not before disk, machine and window are done with all that lies in it.
func TestKept(t *testing.T) {
	var k kept
	var freed []byte
	for i := range 4 {
		k.add(int64(10*(i+1)), []byte{byte(i)}, func(b []byte) { freed = append(freed, b[0]) })
	}
	for _, step := range []struct {
		stored, applied, forgotten int64
		want                       []byte
	}{
		{100, 100, 9, nil}, {100, 9, 100, nil}, {9, 100, 100, nil},
		{10, 19, 100, []byte{0}}, {30, 30, 29, []byte{0, 1}}, {40, 100, 100, []byte{0, 1, 2, 3}}, {200, 200, 200, []byte{0, 1, 2, 3}},
	} {
		k.stored, k.applied = step.stored, step.applied
		if k.release(step.forgotten); !slices.Equal(freed, step.want) {
			t.Errorf("%+v: %v came back", step, freed)
		}
	}
}
