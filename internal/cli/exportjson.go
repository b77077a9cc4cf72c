package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/quollhq/quoll/client"
)

// The JSON form of an export is one object:
//
//	{"format":"quoll-export","version":1,"root":"/app","nodes":[
//	{"path":"","data":"..."},
//	{"path":"/a","dataBase64":"...","acl":[{"scheme":"world","id":"anyone","perms":"r"}]},
//	{"path":"/a/b","ttl":60000}
//	]}
//
// with a node to a line, parents before children. "root" comes before "nodes".
const (
	exportFormat  = "quoll-export"
	exportVersion = 1
)

type jsonSink struct {
	w     *bufio.Writer
	first bool
}

func newJSONSink(w io.Writer, root string) (*jsonSink, error) {
	s := &jsonSink{w: bufio.NewWriter(w), first: true}
	name, err := json.Marshal(root)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(s.w, `{"format":%q,"version":%d,"root":%s,"nodes":[`, exportFormat, exportVersion, name)
	return s, err
}

func (s *jsonSink) put(n nodeDoc) error {
	sep := ",\n"
	if s.first {
		sep, s.first = "\n", false
	}
	if _, err := s.w.WriteString(sep); err != nil {
		return err
	}
	b, err := json.Marshal(n)
	if err != nil {
		return err
	}
	_, err = s.w.Write(b)
	return err
}

// close ends the object; without that, what was written is not taken for
// complete.
func (s *jsonSink) close(complete bool) error {
	if complete {
		if _, err := s.w.WriteString("\n]}\n"); err != nil {
			return err
		}
	}
	return s.w.Flush()
}

// fileSink is a jsonSink whose file appears only when it is complete.
type fileSink struct {
	*jsonSink
	tmp  *os.File
	name string
}

func newFileSink(name, root string) (*fileSink, error) {
	tmp, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return nil, failf("%v", err)
	}
	s, err := newJSONSink(tmp, root)
	if err != nil {
		return nil, errors.Join(err, tmp.Close(), os.Remove(tmp.Name()))
	}
	return &fileSink{s, tmp, name}, nil
}

func (s *fileSink) close(complete bool) error {
	err := s.jsonSink.close(complete)
	if err == nil && complete {
		err = s.tmp.Sync()
	}
	err = errors.Join(err, s.tmp.Close())
	if err != nil || !complete {
		return errors.Join(err, os.Remove(s.tmp.Name()))
	}
	return os.Rename(s.tmp.Name(), s.name)
}

// readJSON reads the head of an export and returns the nodes, which are read
// as they are asked for.
func readJSON(r io.Reader) (root string, nodes nodeSeq, err error) {
	d := json.NewDecoder(bufio.NewReader(r))
	head := struct {
		format, root string
		version      int
	}{}
	if err := expect(d, json.Delim('{')); err != nil {
		return "", nil, err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return "", nil, formatError(err)
		}
		switch key {
		case "format":
			err = d.Decode(&head.format)
		case "version":
			err = d.Decode(&head.version)
		case "root":
			err = d.Decode(&head.root)
		case "nodes":
			if err := checkHead(head.format, head.version, head.root); err != nil {
				return "", nil, err
			}
			return head.root, jsonNodes(d), nil
		default:
			var ignored json.RawMessage
			err = d.Decode(&ignored)
		}
		if err != nil {
			return "", nil, formatError(err)
		}
	}
	return "", nil, fmt.Errorf("%w: it has no nodes", errFormat)
}

func checkHead(format string, version int, root string) error {
	switch {
	case format != exportFormat:
		return fmt.Errorf("%w: format %q, want %q before the nodes", errFormat, format, exportFormat)
	case version != exportVersion:
		return fmt.Errorf("the export has version %d; this program reads version %d", version, exportVersion)
	}
	if err := client.ValidatePath(root); err != nil {
		return fmt.Errorf("%w: root %q: %w", errFormat, root, err)
	}
	return nil
}

func jsonNodes(d *json.Decoder) nodeSeq {
	return func(yield func(nodeDoc, error) bool) {
		if err := expect(d, json.Delim('[')); err != nil {
			yield(nodeDoc{}, err)
			return
		}
		for d.More() {
			var n nodeDoc
			if err := d.Decode(&n); err != nil {
				yield(n, formatError(err))
				return
			}
			if !yield(n, nil) {
				return
			}
		}
		for _, end := range []json.Delim{']', '}'} {
			if err := expect(d, end); err != nil {
				yield(nodeDoc{}, err)
				return
			}
		}
	}
}

func expect(d *json.Decoder, want json.Delim) error {
	t, err := d.Token()
	if err != nil {
		return formatError(err)
	}
	if t != want {
		return fmt.Errorf("%w: %v at byte %d, want %v", errFormat, t, d.InputOffset(), want)
	}
	return nil
}

func formatError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends too early", errFormat)
	}
	return fmt.Errorf("%w: %w", errFormat, err)
}
