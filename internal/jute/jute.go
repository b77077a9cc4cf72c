// Package jute encodes and decodes the records of ZooKeeper's wire and disk
// formats.
//
// Every integer is big-endian. A string or buffer is an int32 length followed
// by that many bytes, with length -1 for null; a vector is an int32 count
// followed by its items. A record is its fields one after the other, without
// tags or padding.
//
//	bool    1 byte, 0 or 1
//	int     4 bytes
//	long    8 bytes
//	buffer  int length | bytes
//	vector  int count  | item | item ...
//
// Encoding appends to a caller's slice. Decoding reads from one slice that
// holds the whole frame or entry, so that no length can exceed what has
// arrived.
package jute

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"
)

// ErrMalformed marks every failure to decode: a record that ends early, a
// length that is negative or larger than what is left.
var ErrMalformed = errors.New("malformed record")

// AppendBool appends v as one byte.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// AppendInt appends v as four bytes.
func AppendInt(b []byte, v int32) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(v))
}

// AppendLong appends v as eight bytes.
func AppendLong(b []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(v))
}

// AppendBuffer appends v with its length; nil becomes null (length -1).
func AppendBuffer(b, v []byte) []byte {
	if v == nil {
		return AppendInt(b, -1)
	}
	return append(AppendInt(b, int32(len(v))), v...)
}

// AppendString appends s with its length.
func AppendString(b []byte, s string) []byte {
	return append(AppendInt(b, int32(len(s))), s...)
}

// AppendStrings appends a vector of strings.
func AppendStrings(b []byte, v []string) []byte {
	b = AppendInt(b, int32(len(v)))
	for _, s := range v {
		b = AppendString(b, s)
	}
	return b
}

// PutInt overwrites the four bytes at b[off:] with v, for a length or a count
// that is known only after what follows it was appended.
func PutInt(b []byte, off int, v int32) {
	binary.BigEndian.PutUint32(b[off:], uint32(v))
}

// PutLong overwrites the eight bytes at b[off:] with v.
func PutLong(b []byte, off int, v int64) {
	binary.BigEndian.PutUint64(b[off:], uint64(v))
}

// Decoder reads fields from one slice. The first failure sticks: all later
// reads yield zero values, and Err tells what went wrong. So a record is read
// field by field and checked once.
type Decoder struct {
	buf []byte
	off int
	err error
}

// NewDecoder reads from b. Buffers and aliasing strings that it yields share
// b's memory.
func NewDecoder(b []byte) Decoder { return Decoder{buf: b} }

// Err is the first failure, nil so far. It wraps ErrMalformed.
func (d *Decoder) Err() error { return d.err }

// Len is the number of bytes not read so far.
func (d *Decoder) Len() int { return len(d.buf) - d.off }

// Offset is the number of bytes read so far.
func (d *Decoder) Offset() int { return d.off }

// Rest is what was not read so far, aliasing the decoder's slice.
func (d *Decoder) Rest() []byte { return d.buf[d.off:] }

// Since is what was read from offset off up to now, aliasing the decoder's slice.
func (d *Decoder) Since(off int) []byte { return d.buf[off:d.off:d.off] }

// Fail records err as the decoder's failure unless there is one already.
func (d *Decoder) Fail(err error) {
	if d.err == nil && err != nil {
		d.err = err
	}
}

func (d *Decoder) short(want int) {
	d.Fail(fmt.Errorf("%w: %d bytes wanted at offset %d, %d left", ErrMalformed, want, d.off, d.Len()))
}

// Bool reads one byte; anything but zero is true.
func (d *Decoder) Bool() bool {
	if d.err != nil || d.Len() < 1 {
		d.short(1)
		return false
	}
	v := d.buf[d.off]
	d.off++
	return v != 0
}

// Int reads four bytes.
func (d *Decoder) Int() int32 {
	if d.err != nil || d.Len() < 4 {
		d.short(4)
		return 0
	}
	v := binary.BigEndian.Uint32(d.buf[d.off:])
	d.off += 4
	return int32(v)
}

// Long reads eight bytes.
func (d *Decoder) Long() int64 {
	if d.err != nil || d.Len() < 8 {
		d.short(8)
		return 0
	}
	v := binary.BigEndian.Uint64(d.buf[d.off:])
	d.off += 8
	return int64(v)
}

// Fixed reads n bytes without copying them, nil if there are fewer.
func (d *Decoder) Fixed(n int) []byte {
	if d.err != nil || d.Len() < n {
		d.short(n)
		return nil
	}
	v := d.buf[d.off : d.off+n : d.off+n]
	d.off += n
	return v
}

// Buffer reads a buffer without copying it: nil for null, else a slice of the
// decoder's memory whose capacity is its length.
func (d *Decoder) Buffer() []byte {
	n := d.Int()
	if d.err != nil || n == -1 {
		return nil
	}
	if n < 0 || int(n) > d.Len() {
		d.Fail(fmt.Errorf("%w: buffer of length %d at offset %d, %d bytes left", ErrMalformed, n, d.off-4, d.Len()))
		return nil
	}
	v := d.buf[d.off : d.off+int(n) : d.off+int(n)]
	d.off += int(n)
	return v
}

// String reads a string into memory of its own; null becomes "".
func (d *Decoder) String() string { return string(d.Buffer()) }

// AliasString reads a string that shares the decoder's memory: it is valid and
// constant only as long as that memory is left alone. Null becomes "".
func (d *Decoder) AliasString() string { return Alias(d.Buffer()) }

// NullableString reads a string and whether it was there (not null).
func (d *Decoder) NullableString() (string, bool) {
	v := d.Buffer()
	return string(v), v != nil
}

// Count reads the count of a vector whose items take at least minItem bytes
// each, so that memory for the items can be taken up front. Null yields -1, any
// other negative count an empty vector, as in Apache's codec.
func (d *Decoder) Count(minItem int) int {
	n := d.Int()
	if d.err != nil || n == -1 {
		return -1
	}
	if n < 0 {
		return 0
	}
	if int64(n)*int64(minItem) > int64(d.Len()) {
		d.Fail(fmt.Errorf("%w: vector of %d items at offset %d, %d bytes left", ErrMalformed, n, d.off-4, d.Len()))
		return -1
	}
	return int(n)
}

// Strings reads a vector of strings into memory of their own; null becomes nil.
func (d *Decoder) Strings() []string {
	n := d.Count(4)
	if n < 0 {
		return nil
	}
	v := make([]string, 0, n)
	for range n {
		v = append(v, d.String())
	}
	if d.err != nil {
		return nil
	}
	return v
}

// Alias views b as a string without copying: valid and constant only as long
// as b is left alone.
func Alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
