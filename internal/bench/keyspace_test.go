package bench

import (
	"fmt"
	"testing"
)

func TestPatchMakesThePath(t *testing.T) {
	for _, parents := range []int{1, 2, 7, 1000} {
		k := keyspace{root: "/some/root", parents: parents}
		b := []byte(k.path(0))
		for _, i := range []int64{0, 1, 9, 10, 99, 100, 12345, 999_999_999} {
			k.patch(b, i)
			if string(b) != k.path(i) {
				t.Errorf("%d parents: patched %s, path %s", parents, b, k.path(i))
			}
			want := fmt.Sprintf("/some/root/k%09d", i)
			if parents > 1 {
				want = fmt.Sprintf("/some/root/p%05d/k%09d", i%int64(parents), i)
			}
			if k.path(i) != want {
				t.Errorf("path %s, want %s", k.path(i), want)
			}
		}
	}
}

func TestPatchParent(t *testing.T) {
	k := keyspace{root: "/r", parents: 20}
	b := []byte(k.parent(0))
	k.patchParent(b, 13)
	if string(b) != "/r/p00013" || k.parentOf(33) != "/r/p00013" {
		t.Errorf("patched %s, parent of 33 is %s", b, k.parentOf(33))
	}
	if one := (keyspace{root: "/r", parents: 1}); one.parent(5) != "/r" || one.parentOf(5) != "/r" {
		t.Errorf("with one parent it is %s", one.parent(5))
	}
}

func TestPutDigits(t *testing.T) {
	for width := 1; width <= 9; width++ {
		b := make([]byte, width)
		putDigits(b, 908070605)
		if want := fmt.Sprint(908070605)[9-width:]; string(b) != want {
			t.Errorf("width %d: %s, want %s", width, b, want)
		}
	}
}
