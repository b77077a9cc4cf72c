package storage

import (
	"bytes"
	"io"
)

// Expand is what a compressed snapshot expands to.
func Expand(packed []byte, c Compression) ([]byte, error) {
	r, err := decompressor(bytes.NewReader(packed), c)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// EntryZxid is the zxid of an entry.
func EntryZxid(entry []byte) int64 { return entryZxid(entry) }

// TmpPrefix begins the names of files that are being written.
const TmpPrefix = tmpPrefix
