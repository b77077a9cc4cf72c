package gssapi

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/types"
)

// keytabFile is a keytab that is read again when the file changed, so that keys
// can be renewed without a restart.
type keytabFile struct {
	path string
	log  *slog.Logger

	mu    sync.Mutex
	kt    *keytab.Keytab
	mtime time.Time
	size  int64
}

// load is the keytab as the file is now, or as it was last if it cannot be read.
func (f *keytabFile) load() (*keytab.Keytab, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	kt, err := f.read()
	switch {
	case err == nil:
		f.kt = kt
	case f.kt != nil:
		f.log.Warn("keytab cannot be read again, going on with the keys known", "file", f.path, "err", err)
	default:
		return nil, err
	}
	return f.kt, nil
}

// maxKeytab bounds the size of a keytab in bytes.
const maxKeytab = 16 << 20

func (f *keytabFile) read() (kt *keytab.Keytab, err error) {
	info, err := os.Stat(f.path)
	if err != nil {
		return nil, fmt.Errorf("keytab: %w", err)
	}
	if f.kt != nil && info.ModTime().Equal(f.mtime) && info.Size() == f.size {
		return f.kt, nil
	}
	if info.Size() > maxKeytab {
		return nil, fmt.Errorf("keytab %s: %d bytes, at most %d are read", f.path, info.Size(), maxKeytab)
	}
	b, err := os.ReadFile(f.path)
	if err != nil {
		return nil, fmt.Errorf("keytab: %w", err)
	}
	if kt, err = parseKeytab(b); err != nil {
		return nil, fmt.Errorf("keytab %s: %w", f.path, err)
	}
	f.mtime, f.size = info.ModTime(), info.Size()
	return kt, nil
}

func parseKeytab(b []byte) (kt *keytab.Keytab, err error) {
	defer func() {
		if e := recover(); e != nil {
			err = fmt.Errorf("malformed: %v", e)
		}
	}()
	kt = keytab.New()
	if err := kt.Unmarshal(b); err != nil {
		return nil, err
	}
	return kt, nil
}

// checkKeytab fails if kt has no key of the service.
func checkKeytab(kt *keytab.Keytab, path string, service types.PrincipalName, realm string) error {
	var others []string
	for _, e := range kt.Entries {
		if e.Principal.Realm == realm && slices.Equal(e.Principal.Components, service.NameString) {
			return nil
		}
		others = append(others, e.Principal.String())
	}
	return fmt.Errorf("keytab %s: no key of %s@%s, only of %q", path, service.PrincipalNameString(), realm, others)
}
