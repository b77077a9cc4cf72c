package configcenter

import (
	"bytes"
	"compress/gzip"
	"errors"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"
)

type pool struct {
	MaxSize int
	Timeout time.Duration
	Hosts   []string
	Ports   []int
}

type config struct {
	Name    string `config:"app-name"`
	Debug   bool
	Ratio   float64
	Address net.IP
	Raw     []byte
	Pool    pool
	Pools   []pool
	Labels  map[string]string
	Limit   *int
}

func (c *config) Validate() error {
	if c.Pool.MaxSize < 0 {
		return errors.New("pool.max-size is negative")
	}
	return nil
}

func TestDecode(t *testing.T) {
	limit := 7
	got := config{Ratio: 0.5, Name: "default"}
	err := Decode(map[string]string{
		"app-name": "orders", "debug": "true", "address": "10.0.0.7", "raw": "a,b", "limit": "7",
		"pool.max-size": " 8 ", "pool.timeout": "2s", "pool.hosts": "a, b,c", "pool.ports[0]": "1", "pool.ports[1]": "2",
		"pools[0].maxSize": "1", "pools[1].MAX_SIZE": "2",
		"labels.a": "x", "labels.b-c": "y", "pool": "a property, too", "unknown.thing": "z",
	}, &got)
	if err != nil {
		t.Fatal(err)
	}
	want := config{
		Name: "orders", Debug: true, Ratio: 0.5, Address: net.IPv4(10, 0, 0, 7), Raw: []byte("a,b"), Limit: &limit,
		Pool:   pool{MaxSize: 8, Timeout: 2 * time.Second, Hosts: []string{"a", "b", "c"}, Ports: []int{1, 2}},
		Pools:  []pool{{MaxSize: 1}, {MaxSize: 2}},
		Labels: map[string]string{"a": "x", "b-c": "y"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	var all map[string]string
	if err := Decode(map[string]string{"a.b": "c"}, &all); err != nil || all["a.b"] != "c" {
		t.Errorf("%v, %v", all, err)
	}
}

// What is wrong is said with the property's name.
func TestDecodeFails(t *testing.T) {
	for key, value := range map[string]string{
		"pool.max-size": "many", "pool.timeout": "soon", "debug": "perhaps", "address": "x", "pool.ports": "1,x", "pool.maxSize": "-1",
	} {
		err := Decode(map[string]string{key: value}, new(config))
		last := strings.ToLower(key[strings.LastIndexByte(key, '.')+1:])
		if err == nil || !strings.Contains(relax.Replace(strings.ToLower(err.Error())), relax.Replace(last)) {
			t.Errorf("%s=%s: %v", key, value, err)
		}
	}
	err := Decode(map[string]string{"pool.max-size": "many", "debug": "perhaps"}, new(config))
	if text := err.Error(); strings.Contains(text, "\n") || strings.Count(text, "; ") != 1 || !strings.HasPrefix(text, "configcenter: '") {
		t.Errorf("not two misfits in one line: %q", text)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("pools[0].max-size", "1", "pools[x]", "2")
	f.Add("a[", "", "a.b", "")
	f.Fuzz(func(_ *testing.T, k1, v1, k2, v2 string) {
		_ = Decode(map[string]string{k1: v1, k2: v2}, new(config)) // it must come back
	})
}

func FuzzRevision(f *testing.F) {
	r := Revision{Number: 1, Properties: map[string]string{"a": strings.Repeat("b", gzipFrom)}}
	large, err := r.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(large)
	f.Add([]byte(`{"revision":1}`))
	f.Add([]byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := decodeRevision(data); err != nil && !errors.Is(err, ErrInvalid) {
			t.Error(err)
		}
	})
}

func FuzzSaved(f *testing.F) {
	f.Add([]byte(`{"format":"quoll-config-1","view":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := decodeSaved(data, "app"); err != nil && !errors.Is(err, ErrInvalid) {
			t.Error(err)
		}
	})
}

// A small record cannot take much memory.
func TestInflate(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(make([]byte, 1000))
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	if data, err := inflate(b.Bytes(), 1000); err != nil || len(data) != 1000 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if _, err := inflate(b.Bytes(), 999); !errors.Is(err, ErrInvalid) {
		t.Errorf("error %v", err)
	}
}
