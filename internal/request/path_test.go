package request

import "testing"

func TestValidPath(t *testing.T) {
	for path, want := range map[string]bool{
		"/": true, "/a": true, "/a/b": true, "/a.b": true, "/a..b": true, "/.a": true, "/...": true, "/a/.../b": true,
		"/é": true, "/\u0394": true, "/a b": true, "/\ud7ff": true, "/\uf900": true, "/\uffef": true,
		"": false, "a": false, "/a/": false, "//": false, "/a//b": false, "/.": false, "/..": false, "/a/.": false,
		"/a/../b": false, "/./a": false, "/\x00": false, "/a\x1f": false, "/\x7f": false, "/\u0080": false, "/\u009f": false,
		"/\ue000": false, "/\uf8ff": false, "/\ufff0": false, "/\U0001F600": false, "/\xff": false, "/a\xc3": false,
	} {
		if got := validPath(path); got != want {
			t.Errorf("%q: %v", path, got)
		}
	}
}
