//go:build !unix

package render

import (
	"io/fs"
	"os"
)

// keepOwner does nothing: files have no owner in the sense of Unix.
func keepOwner(*os.File, fs.FileInfo) {}
