package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrNoFile is for a server without a configuration file, which has no place for what a reconfiguration changes.
var ErrNoFile = errors.New("reconfigEnabled needs a configuration file, which names where the ensemble's configuration is kept")

// DynamicFiles are where a server keeps its ensemble's configuration, as Apache's does. FILE is the main file:
//
//	FILE.dynamic.next     what was proposed last, with its version, while it is not in force
//	FILE.dynamic.VERSION  what is in force, the version in hexadecimal; FILE names it as dynamicConfigFile
//	FILE.bak              FILE as it was while it held the members itself
//
// If FILE cannot be replaced, because it is mounted or read-only, they lie in dataDir instead, and FILE stays as it is:
// Load prefers the newest. Every file is durable when the method that writes it returns. The methods are for one goroutine.
type DynamicFiles struct {
	main    string // FILE
	dataDir string
	id      int64
	active  int64 // version of what is in force
}

// NewDynamicFiles are the files that cfg was read from.
func NewDynamicFiles(cfg *Config) (*DynamicFiles, error) {
	if cfg.File == "" {
		return nil, ErrNoFile
	}
	main, err := filepath.Abs(cfg.File)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(cfg.Data.Dir)
	if err != nil {
		return nil, err
	}
	return &DynamicFiles{main: main, dataDir: dir, id: cfg.MyID, active: cfg.Ensemble.Membership.Version}, nil
}

// SaveNext keeps a configuration that was proposed. One that is no later than the one in force means that there is none.
func (d *DynamicFiles) SaveNext(m Membership) error {
	if m.Version <= d.active {
		return d.removeNext()
	}
	return d.place(func(base string) error { return replaceFile(nextFile(base), dynamicText(m, true)) })
}

// SaveActive keeps a configuration that came into force, and has the main file name it.
func (d *DynamicFiles) SaveActive(m Membership) error {
	err := d.place(func(base string) error {
		path := base + dynamicSuffix + strconv.FormatUint(uint64(m.Version), 16)
		if err := replaceFile(path, dynamicText(m, false)); err != nil || base != d.main {
			return err
		}
		return d.point(path, m)
	})
	if err != nil {
		return err
	}
	d.active = m.Version
	return d.removeNext()
}

const dynamicSuffix = ".dynamic."

func nextFile(base string) string { return base + dynamicSuffix + "next" }

// inDataDir is what takes the main file's place in the names of files in dataDir.
func inDataDir(dataDir, main string) string { return filepath.Join(dataDir, filepath.Base(main)) }

// place writes beside the main file, or in dataDir if that cannot be.
func (d *DynamicFiles) place(write func(base string) error) error {
	first := write(d.main)
	if first == nil {
		return nil
	}
	if err := write(inDataDir(d.dataDir, d.main)); err != nil {
		return fmt.Errorf("the ensemble's configuration cannot be kept: %w", errors.Join(first, err))
	}
	return nil
}

func (d *DynamicFiles) removeNext() error {
	for _, base := range []string{d.main, inDataDir(d.dataDir, d.main)} {
		if err := os.Remove(nextFile(base)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// point has the main file name the dynamic one in place of members. Everything else in it stays as it is.
func (d *DynamicFiles) point(path string, m Membership) error {
	text, err := readBounded(d.main, maxFile)
	if err != nil {
		return err
	}
	own, _ := m.Find(d.id)
	edited, hadMembers := editMain(text, path, own.Client.Enabled)
	if hadMembers {
		if err := replaceFile(d.main+".bak", text); err != nil {
			return err
		}
	}
	return replaceFile(d.main, edited)
}

// editMain takes out of a main file what the dynamic one says, and names that. The client's port goes if the member's
// line has one.
func editMain(text []byte, dynamic string, clientPort bool) (edited []byte, hadMembers bool) {
	r := lineReader{src: text, line: 1}
	kept := 0
	for {
		raw, _, ok := r.next()
		if !ok {
			break
		}
		escaped, _ := splitProperty(raw)
		key, err := unescape(escaped)
		if err != nil {
			continue // what cannot be read stays
		}
		member := isMemberKey(key)
		hadMembers = hadMembers || member
		if !member && key != "dynamicConfigFile" && key != "peerType" && !(clientPort && (key == "clientPort" || key == "clientPortAddress")) {
			continue
		}
		begin := strings.LastIndexAny(string(text[:r.from]), "\r\n") + 1
		edited = append(edited, text[kept:begin]...)
		kept = r.pos
	}
	edited = endLine(append(edited, text[kept:]...))
	return append(edited, "dynamicConfigFile="+escapeValue(dynamic)+"\n"...), hadMembers
}

// endLine sees to it that what is appended begins a line of its own.
func endLine(b []byte) []byte {
	line := bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	if len(line) == len(b) && len(b) > 0 {
		b = append(b, '\n')
	}
	if endsInOddBackslashes(line) {
		b = append(b, "\n\n"...) // an empty line ends what the backslash continues; the first may be part of \r\n
	}
	return b
}

// escapeValue writes a value so that it is read as it is.
func escapeValue(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '\\' || r == ' ' && i == 0:
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r > '~':
			for _, u := range utf16Units(r) {
				fmt.Fprintf(&b, `\u%04x`, u)
			}
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// dynamicText is a configuration as a file has it: sorted lines without an end of the last.
func dynamicText(m Membership, version bool) []byte {
	lines := strings.Split(m.String(), "\n")
	if !version {
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "version=") })
	}
	slices.Sort(lines)
	return []byte(strings.Join(lines, "\n"))
}

// replaceFile writes a file aside and puts it in place of the one that is there, whose permissions it keeps. The file is
// durable when it returns.
func replaceFile(path string, content []byte) error {
	perm := fs.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		perm = info.Mode().Perm()
	}
	aside := path + ".tmp"
	if err := writeSynced(aside, content, perm); err != nil {
		return errors.Join(err, removeIfThere(aside))
	}
	if err := os.Rename(aside, path); err != nil {
		return errors.Join(err, removeIfThere(aside))
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func writeSynced(path string, content []byte, perm fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
