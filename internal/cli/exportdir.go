package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/quollhq/quoll/client"
)

// The directory form of an export has a directory for each node, with the
// node's name, and in it
//
//	.data        its data; absent if that is null
//	.znode.json  what else there is to tell of it; absent if nothing
//	.export.json in the topmost one: format, version and root
//
// A percent sign in a name, and a dot at its beginning, are written as %25 and
// %2E: no node's directory is taken for one of these files.
const (
	dataFile   = ".data"
	metaFile   = ".znode.json"
	exportFile = ".export.json"
)

type exportHead struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Root    string `json:"root"`
}

type dirSink struct {
	root string
	head []byte
}

// newDirSink makes the topmost directory, which must be empty or new.
func newDirSink(dir, root string) (*dirSink, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, failf("%v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, failf("%v", err)
	}
	if len(entries) > 0 {
		return nil, failf("%s is not empty: export to a new directory", dir)
	}
	head, err := json.Marshal(exportHead{exportFormat, exportVersion, root})
	return &dirSink{dir, append(head, '\n')}, err
}

func (s *dirSink) put(n nodeDoc) error {
	dir := filepath.Join(s.root, filepath.FromSlash(escapePath(n.Path)))
	if n.Path != "" {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return fmt.Errorf("node %q: %w", n.Path, err)
		}
	}
	if data := n.bytes(); data != nil {
		if err := os.WriteFile(filepath.Join(dir, dataFile), data, 0o644); err != nil {
			return err
		}
	}
	if n.plain() {
		return nil
	}
	b, err := json.MarshalIndent(n.nodeMeta, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, metaFile), append(b, '\n'), 0o644)
}

// close writes the head last: a directory without one is no complete export.
func (s *dirSink) close(complete bool) error {
	if !complete {
		return nil
	}
	return os.WriteFile(filepath.Join(s.root, exportFile), s.head, 0o644)
}

func escapePath(path string) string {
	path = strings.ReplaceAll(path, "%", "%25")
	return strings.ReplaceAll(path, "/.", "/%2E")
}

func unescapeName(name string) (string, error) {
	name = strings.ReplaceAll(name, "%2E", ".")
	rest := strings.ReplaceAll(name, "%25", "")
	if strings.Contains(rest, "%") {
		return "", fmt.Errorf("%w: directory name %q", errFormat, name)
	}
	return strings.ReplaceAll(name, "%25", "%"), nil
}

// readDir reads the head of an export and returns the nodes.
func readDir(dir string) (root string, nodes nodeSeq, err error) {
	b, err := os.ReadFile(filepath.Join(dir, exportFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, fmt.Errorf("%w: %s has no %s", errFormat, dir, exportFile)
	}
	if err != nil {
		return "", nil, err
	}
	var head exportHead
	if err := json.Unmarshal(b, &head); err != nil {
		return "", nil, fmt.Errorf("%s: %w", filepath.Join(dir, exportFile), formatError(err))
	}
	if err := checkHead(head.Format, head.Version, head.Root); err != nil {
		return "", nil, err
	}
	return head.Root, func(yield func(nodeDoc, error) bool) { walkDir(dir, yield) }, nil
}

// walkDir yields the nodes level by level, so that many can be made at once.
func walkDir(top string, yield func(nodeDoc, error) bool) {
	type place struct{ dir, path string }
	for level := []place{{top, ""}}; len(level) > 0; {
		var next []place
		for _, at := range level {
			n, names, err := readNodeDir(at.dir, at.path)
			if !yield(n, err) || err != nil {
				return
			}
			for dir, name := range names {
				next = append(next, place{filepath.Join(at.dir, dir), at.path + "/" + name})
			}
		}
		level = next
	}
}

// readNodeDir reads one node and the names of its children by their
// directories.
func readNodeDir(dir, path string) (n nodeDoc, names map[string]string, err error) {
	if n, err = readNodeFiles(dir); err != nil {
		return n, nil, err
	}
	n.Path = path
	entries, err := os.ReadDir(dir)
	if err != nil {
		return n, nil, err
	}
	names = map[string]string{}
	for _, e := range entries {
		switch e.Name() {
		case dataFile, metaFile, exportFile:
			continue
		}
		name, err := unescapeName(e.Name())
		if err == nil && !e.IsDir() {
			err = fmt.Errorf("%w: %s is no directory", errFormat, filepath.Join(dir, e.Name()))
		}
		if err == nil {
			err = client.ValidatePath(path + "/" + name)
		}
		if err != nil {
			return n, nil, err
		}
		names[e.Name()] = name
	}
	return n, names, nil
}

func readNodeFiles(dir string) (n nodeDoc, err error) {
	meta, err := os.ReadFile(filepath.Join(dir, metaFile))
	if err == nil {
		if err := json.Unmarshal(meta, &n.nodeMeta); err != nil {
			return n, fmt.Errorf("%s: %w", filepath.Join(dir, metaFile), formatError(err))
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return n, err
	}
	data, err := os.ReadFile(filepath.Join(dir, dataFile))
	if err == nil {
		n.dataDoc = newDataDoc(data)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return n, err
	}
	return n, nil
}
