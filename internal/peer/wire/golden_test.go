package wire_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quollhq/quoll/internal/peer/wire"
	"github.com/quollhq/quoll/internal/peer/wire/wiretest"
)

// What Apache's servers have sent is read and written as it was; testdata/README.md tells how it was recorded.
func TestGoldenStreams(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bin")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded streams: %v", err)
	}
	seen := make(map[wire.Type]bool)
	for _, file := range files {
		stream, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var written []byte
		if strings.Contains(file, "election") {
			written, _, err = wiretest.Election(stream, strings.Contains(file, "dialler"))
		} else {
			var types []wire.Type
			written, types, err = wiretest.Quorum(stream)
			for _, typ := range types {
				seen[typ] = true
			}
		}
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if !bytes.Equal(written, stream) {
			t.Errorf("%s\n got %x\nwant %x", file, written, stream)
		}
	}
	for typ := wire.Request; typ <= wire.InformAndActivate; typ++ {
		if !seen[typ] {
			t.Errorf("no recorded %v", typ)
		}
	}
}
