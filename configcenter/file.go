package configcenter

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// saved is a view in a file.
type saved struct {
	Format string    `json:"format"`
	App    string    `json:"app"`
	Saved  time.Time `json:"saved"`
	SHA256 string    `json:"sha256"` // of the view
	// View keeps its bytes, which the checksum is of.
	View json.RawMessage `json:"view"`
}

const (
	fileFormat = "quoll-config-1"
	maxFile    = 64 << 20 // bytes
)

// save writes a view to a file, which is replaced as a whole.
func save(path, app string, v *View) error {
	view, err := json.Marshal(v)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(view)
	data, err := json.Marshal(saved{fileFormat, app, time.Now().UTC(), hex.EncodeToString(sum[:]), view})
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // for the owner alone
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// load reads a view that save has written.
func load(path, app string) (*View, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, err
	}
	v, err := decodeSaved(data, app)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}

func decodeSaved(data []byte, app string) (*View, error) {
	var s saved
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("%w: no saved configuration: %w", ErrInvalid, err)
	}
	sum := sha256.Sum256(s.View)
	switch {
	case s.Format != fileFormat:
		return nil, fmt.Errorf("%w: no saved configuration: its format is %q", ErrInvalid, s.Format)
	case s.SHA256 != hex.EncodeToString(sum[:]):
		return nil, fmt.Errorf("%w: the saved configuration is damaged: its checksum is wrong", ErrInvalid)
	case s.App != app:
		return nil, fmt.Errorf("%w: the saved configuration is that of %q, not of %q", ErrInvalid, s.App, app)
	}
	v := new(View)
	if err := json.Unmarshal(s.View, v); err != nil {
		return nil, fmt.Errorf("%w: no saved configuration: %w", ErrInvalid, err)
	}
	v.Saved = s.Saved
	return v, nil
}
