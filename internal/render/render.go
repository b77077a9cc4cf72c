package render

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/internal/supervise"
)

// Template is one file to make.
type Template struct {
	// In is the template's file, in the language of text/template; Out is the file
	// to make.
	In, Out string
	// Mode of a file that is not there. Default: 0644. One that is there keeps its
	// own.
	Mode fs.FileMode
}

// Renderer makes files.
type Renderer struct {
	Source    *Source
	Templates []Template
	// Check is a shell command that each changed file must pass before it is put
	// into place; {} stands for its path, which QUOLL_FILE holds, too.
	Check string
	// Reload is a shell command for when files were put into place. If it fails, or this
	// process dies before, it is owed: tried again after the next change, and by the next
	// process. A marker beside the file says so meanwhile.
	Reload string
	// Quiet is how long nothing must change before files are made again, but not
	// longer than Longest.
	Quiet, Longest time.Duration
	// Dry prints the files instead.
	Dry bool
	// Output gets what commands, and a dry run, print.
	Output io.Writer
	Log    *slog.Logger
}

// errFailed marks what the next change may mend: a value that is missing, a file
// that does not pass its check.
var errFailed = errors.New("left undone")

// Once makes all files, or none.
func (r *Renderer) Once(ctx context.Context) error {
	r.begin()
	defer r.Source.sweep(true)
	return r.all(ctx)
}

// Run makes all files, and again when values change, until ctx ends. A failure is
// logged, and leaves the files as they are.
func (r *Renderer) Run(ctx context.Context) error {
	r.begin()
	defer r.Source.sweep(true)
	for {
		err := r.all(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, client.ErrClosed), err != nil && !errors.Is(err, errFailed):
			return err
		case err != nil:
			r.Log.Error("not all is done, until the next change", "error", err)
		}
		if err := r.wait(ctx); err != nil {
			return err
		}
	}
}

func (r *Renderer) begin() {
	r.Source.changed = make(chan struct{}, 1)
	r.Source.values = make(map[string]*value)
}

// wait waits for a change, and until nothing changes for a while.
func (r *Renderer) wait(ctx context.Context) error {
	select {
	case <-r.Source.changed:
	case <-ctx.Done():
		return ctx.Err()
	}
	longest := time.NewTimer(r.Longest)
	defer longest.Stop()
	for {
		quiet := time.NewTimer(r.Quiet)
		select {
		case <-r.Source.changed:
			quiet.Stop()
		case <-quiet.C:
			return nil
		case <-longest.C:
			quiet.Stop()
			return nil
		case <-ctx.Done():
			quiet.Stop()
			return ctx.Err()
		}
	}
}

// staged is a file that is ready to be put into place.
type staged struct {
	Template
	temporary string
}

// all makes all files: each is staged and checked before the first is put into
// place.
func (r *Renderer) all(ctx context.Context) error {
	var ready []staged
	defer func() {
		for _, s := range ready {
			_ = os.Remove(s.temporary) // what was put into place is not there any more
		}
	}()
	for _, t := range r.Templates {
		text, err := r.render(ctx, t)
		if err != nil {
			return err
		}
		if r.Dry {
			fmt.Fprintf(r.Output, "> %s\n%s", t.Out, text)
			continue
		}
		if old, err := os.ReadFile(t.Out); err == nil && bytes.Equal(old, text) {
			continue
		}
		s, err := stage(t, text)
		if err != nil {
			return err
		}
		ready = append(ready, s)
		if err := r.check(ctx, s); err != nil {
			return err
		}
	}
	r.Source.sweep(false)
	for _, s := range ready {
		if err := r.owe(s.Template); err != nil {
			return err
		}
		if err := os.Rename(s.temporary, s.Out); err != nil {
			return err
		}
		r.Log.Info("file made", "path", s.Out)
	}
	return r.reload(ctx)
}

// marker is the file that says that the reload for a file is owed.
func (t Template) marker() string {
	return filepath.Join(filepath.Dir(t.Out), "."+filepath.Base(t.Out)+".reload-owed")
}

// owe notes that a file is about to be put into place, and the reload not done.
func (r *Renderer) owe(t Template) error {
	if r.Reload == "" {
		return nil
	}
	return os.WriteFile(t.marker(), nil, 0o600)
}

// reload runs the reload command if it is owed for any file.
func (r *Renderer) reload(ctx context.Context) error {
	if r.Dry || r.Reload == "" {
		return nil
	}
	var owed []string
	for _, t := range r.Templates {
		if _, err := os.Lstat(t.marker()); err == nil {
			owed = append(owed, t.marker())
		}
	}
	if len(owed) == 0 {
		return nil
	}
	if err := r.shell(ctx, r.Reload, ""); err != nil {
		return fmt.Errorf("%w: the reload command: %w", errFailed, err)
	}
	for _, marker := range owed {
		if err := os.Remove(marker); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// render makes the text of a file.
func (r *Renderer) render(ctx context.Context, t Template) ([]byte, error) {
	text, err := os.ReadFile(t.In)
	if err != nil {
		return nil, err
	}
	parsed, err := template.New(filepath.Base(t.In)).Option("missingkey=error").Funcs(r.functions(ctx)).Parse(string(text))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := parsed.Execute(&b, nil); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errFailed, t.Out, err)
	}
	return b.Bytes(), nil
}

// functions are those of the templates besides those of text/template.
func (r *Renderer) functions(ctx context.Context) template.FuncMap {
	s := r.Source
	return template.FuncMap{
		"key": func(path string) (string, error) { return s.key(ctx, path) },
		"keyOrDefault": func(path, other string) (string, error) {
			data, err := s.key(ctx, path)
			if errors.Is(err, client.ErrNoNode) {
				return other, nil
			}
			return data, err
		},
		"keyExists": func(path string) (bool, error) {
			_, err := s.key(ctx, path)
			if errors.Is(err, client.ErrNoNode) {
				return false, nil
			}
			return err == nil, err
		},
		"ls": func(path string) ([]string, error) {
			names, err := s.list(ctx, path)
			if errors.Is(err, client.ErrNoNode) {
				return nil, nil
			}
			return names, err
		},
		"service": func(name string) (any, error) { return s.service(ctx, name) },
		"config": func(app string, profiles ...string) (map[string]string, error) {
			return s.config(ctx, app, profiles...)
		},
		"property": func(app, key string, profiles ...string) (string, error) {
			all, err := s.config(ctx, app, profiles...)
			value, there := all[key]
			if err == nil && !there {
				err = fmt.Errorf("%q has no property %q", app, key)
			}
			return value, err
		},
		"env":       os.Getenv,
		"join":      func(sep string, words []string) string { return strings.Join(words, sep) },
		"split":     func(sep, text string) []string { return strings.Split(text, sep) },
		"trimSpace": strings.TrimSpace,
		"toUpper":   strings.ToUpper,
		"toLower":   strings.ToLower,
		"replace":   func(old, new, text string) string { return strings.ReplaceAll(text, old, new) },
		"parseJSON": func(text string) (v any, err error) { return v, json.Unmarshal([]byte(text), &v) },
		"toJSON": func(v any) (string, error) {
			b, err := json.Marshal(v)
			return string(b), err
		},
	}
}

// stage writes a file beside the one that it is to replace, with its mode and, if
// this process may, its owner.
func stage(t Template, text []byte) (staged, error) {
	mode := t.Mode
	if mode == 0 {
		mode = 0o644
	}
	old, statErr := os.Stat(t.Out)
	if statErr == nil {
		mode = old.Mode().Perm()
	}
	f, err := os.CreateTemp(filepath.Dir(t.Out), "."+filepath.Base(t.Out)+".*")
	if err != nil {
		return staged{}, fmt.Errorf("%s cannot be made: %w", t.Out, err)
	}
	s := staged{t, f.Name()}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(mode))
	if statErr == nil {
		keepOwner(f, old)
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return s, errors.Join(err, os.Remove(s.temporary))
	}
	return s, nil
}

func (r *Renderer) check(ctx context.Context, s staged) error {
	if r.Check == "" {
		return nil
	}
	if err := r.shell(ctx, r.Check, s.temporary); err != nil {
		return fmt.Errorf("%w: the check of %s: %w", errFailed, s.Out, err)
	}
	return nil
}

// shell runs a command for a file.
func (r *Renderer) shell(ctx context.Context, command, file string) error {
	return supervise.Shell(ctx, strings.ReplaceAll(command, "{}", quote(file)), []string{"QUOLL_FILE=" + file}, r.Output)
}

// quote makes one word of a path for a shell.
func quote(path string) string { return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'" }
