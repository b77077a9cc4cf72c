package configcenter

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/quollhq/quoll/client"
)

// What revisions record.
const (
	ActionPublish       = "publish"
	ActionRollback      = "rollback"
	ActionCanary        = "canary"
	ActionPromoteCanary = "promote"
	ActionAbortCanary   = "abort"
)

// Revision is one publication of a context.
type Revision struct {
	Number int64  `json:"revision"`
	ID     string `json:"id"` // of this publication alone
	// Action is what was done: one of the constants.
	Action string `json:"action"`
	// Canary is the name of the canary that was started, promoted or aborted.
	Canary string `json:"canary,omitempty"`
	// Author is who did it as they say; Identities are as whom the server knew them.
	Author     string    `json:"author"`
	Identities []string  `json:"identities,omitempty"`
	Reason     string    `json:"reason"`
	Time       time.Time `json:"time"`
	// Properties of the context after it.
	Properties map[string]string `json:"properties"`
}

// gzipFrom is the size of a record from which on it is compressed, in bytes.
const gzipFrom = 4096

// maxRecord bounds a record that is decompressed, in bytes.
const maxRecord = 16 << 20

func (r *Revision) encode() ([]byte, error) {
	plain, err := json.Marshal(r)
	if err != nil || len(plain) < gzipFrom {
		return plain, err
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err = w.Write(plain)
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}

func decodeRevision(data []byte) (Revision, error) {
	var r Revision
	data, err := inflate(data, maxRecord)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("%w: no revision: %w", ErrInvalid, err)
	}
	if r.Number < 1 {
		return r, fmt.Errorf("%w: no revision: it has the number %d", ErrInvalid, r.Number)
	}
	return r, nil
}

// inflate decompresses what is compressed, to at most so many bytes.
func inflate(data []byte, most int64) ([]byte, error) {
	if !bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		return data, nil
	}
	zr, err := gzip.NewReader(bytes.NewReader(data))
	if err == nil {
		data, err = io.ReadAll(io.LimitReader(zr, most+1))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: no revision: %w", ErrInvalid, err)
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%w: a revision of more than %d bytes", ErrInvalid, most)
	}
	return data, nil
}

// Revision reads one revision. The error is ErrUnknown if there is none of that
// number, or none any more.
func (c *Center) Revision(ctx context.Context, name string, number int64) (Revision, error) {
	if err := checkName("context", name); err != nil {
		return Revision{}, fmt.Errorf("configcenter: %w", err)
	}
	path := c.revisionPath(name, number)
	data, _, err := c.c.Get(ctx, path)
	if errors.Is(err, client.ErrNoNode) {
		return Revision{}, fmt.Errorf("configcenter: revision %d of %q: %w", number, name, ErrUnknown)
	}
	if err != nil {
		return Revision{}, fmt.Errorf("configcenter: %w", err)
	}
	r, err := decodeRevision(data)
	if err != nil {
		return r, fmt.Errorf("configcenter: %s: %w", path, err)
	}
	return r, nil
}

// History reads the last revisions of a context, the latest first; all that are
// kept if most is 0.
func (c *Center) History(ctx context.Context, name string, most int) ([]Revision, error) {
	numbers, err := c.numbers(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("configcenter: %w", err)
	}
	slices.Reverse(numbers)
	if most > 0 && len(numbers) > most {
		numbers = numbers[:most]
	}
	var all []Revision
	for _, n := range numbers {
		r, err := c.Revision(ctx, name, n)
		if errors.Is(err, ErrUnknown) {
			continue // it was removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// numbers are those of the revisions that are kept, sorted.
func (c *Center) numbers(ctx context.Context, name string) ([]int64, error) {
	if err := checkName("context", name); err != nil {
		return nil, err
	}
	names, err := c.c.ChildNames(ctx, c.revisionDir(name))
	if err != nil && !errors.Is(err, client.ErrNoNode) {
		return nil, err
	}
	numbers := make([]int64, 0, len(names))
	for _, child := range names {
		n, err := strconv.ParseInt(child, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%w: %s is not a revision", ErrInvalid, client.Join(c.revisionDir(name), child))
		}
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	return numbers, nil
}

// Difference is how one property differs between two sets.
type Difference struct {
	Key      string
	Old, New string
	// Added: there is no Old. Removed: there is no New.
	Added, Removed bool
}

// Diff lists how new differs from old, sorted by key.
func Diff(old, new map[string]string) []Difference {
	keys := slices.Sorted(maps.Keys(old))
	for key := range new {
		if _, both := old[key]; !both {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	var all []Difference
	for _, key := range keys {
		before, had := old[key]
		after, has := new[key]
		if before != after || had != has {
			all = append(all, Difference{Key: key, Old: before, New: after, Added: !had, Removed: !has})
		}
	}
	return all
}

// DiffRevisions lists how revision to differs from revision from; 0 stands for
// the empty set before the first.
func (c *Center) DiffRevisions(ctx context.Context, name string, from, to int64) ([]Difference, error) {
	sets := make([]map[string]string, 2)
	for i, n := range []int64{from, to} {
		if n == 0 {
			continue
		}
		r, err := c.Revision(ctx, name, n)
		if err != nil {
			return nil, err
		}
		sets[i] = r.Properties
	}
	return Diff(sets[0], sets[1]), nil
}

// Drift lists what was changed without being published, since the last revision.
func (c *Center) Drift(ctx context.Context, name string) ([]Difference, error) {
	now, n, err := c.Properties(ctx, name)
	if err != nil || n == 0 {
		return Diff(nil, now), err
	}
	last, err := c.Revision(ctx, name, n)
	if err != nil {
		return nil, err
	}
	return Diff(last.Properties, now), nil
}
