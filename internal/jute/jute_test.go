package jute

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	b := AppendBool(nil, true)
	b = AppendInt(b, -7)
	b = AppendLong(b, 1<<40)
	b = AppendBuffer(b, nil)
	b = AppendBuffer(b, []byte{})
	b = AppendString(b, "znode")
	b = AppendStrings(b, []string{"a", ""})
	d := NewDecoder(b)
	if !d.Bool() || d.Int() != -7 || d.Long() != 1<<40 {
		t.Fatal("scalars differ")
	}
	if v := d.Buffer(); v != nil {
		t.Fatalf("null buffer read as %v", v)
	}
	if v := d.Buffer(); v == nil || len(v) != 0 {
		t.Fatalf("empty buffer read as %v", v)
	}
	if s := d.AliasString(); s != "znode" {
		t.Fatalf("string %q", s)
	}
	if v := d.Strings(); !reflect.DeepEqual(v, []string{"a", ""}) {
		t.Fatalf("strings %q", v)
	}
	if d.Err() != nil || d.Len() != 0 {
		t.Fatalf("err %v, %d left", d.Err(), d.Len())
	}
}

func TestGolden(t *testing.T) {
	got := AppendString(AppendInt(nil, 1), "ab")
	want := []byte{0, 0, 0, 1, 0, 0, 0, 2, 'a', 'b'}
	if !bytes.Equal(got, want) {
		t.Fatalf("% x", got)
	}
}

func TestMalformed(t *testing.T) {
	for name, tc := range map[string]struct {
		in   []byte
		read func(*Decoder)
	}{
		"short int":       {[]byte{0, 0}, func(d *Decoder) { d.Int() }},
		"short long":      {[]byte{0, 0, 0, 0}, func(d *Decoder) { d.Long() }},
		"no bool":         {nil, func(d *Decoder) { d.Bool() }},
		"long buffer":     {[]byte{0, 0, 0, 9, 1}, func(d *Decoder) { d.Buffer() }},
		"negative buffer": {[]byte{0xff, 0xff, 0xff, 0xfe}, func(d *Decoder) { d.Buffer() }},
		"huge vector":     {[]byte{0x7f, 0xff, 0xff, 0xff, 0}, func(d *Decoder) { d.Strings() }},
	} {
		t.Run(name, func(t *testing.T) {
			d := NewDecoder(tc.in)
			tc.read(&d)
			if !errors.Is(d.Err(), ErrMalformed) {
				t.Fatalf("err %v", d.Err())
			}
			if d.Int() != 0 || d.String() != "" || d.Strings() != nil {
				t.Fatal("reads after a failure yield values")
			}
		})
	}
}

// Apache's codec takes a vector of fewer than no items for one of none.
func TestNegativeVectorIsEmpty(t *testing.T) {
	d := NewDecoder([]byte{0xff, 0xff, 0xff, 0xfe, 7})
	if v := d.Strings(); v == nil || len(v) != 0 || d.Err() != nil || d.Len() != 1 {
		t.Errorf("%v, %v, %d bytes left", v, d.Err(), d.Len())
	}
}

func FuzzDecoder(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 2, 'a', 'b'})
	f.Fuzz(func(t *testing.T, in []byte) {
		d := NewDecoder(in)
		for d.Err() == nil && d.Len() > 0 {
			switch d.Len() % 5 {
			case 0:
				d.Int()
			case 1:
				d.Buffer()
			case 2:
				d.Strings()
			case 3:
				d.Bool()
			default:
				d.Long()
			}
		}
		if d.Offset() > len(in) {
			t.Fatal("read past the end")
		}
	})
}
