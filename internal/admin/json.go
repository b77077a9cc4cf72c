package admin

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// field is a member of an object.
type field struct {
	key   string
	value any
}

// object is a JSON object whose members keep their order. Values are nil, bool,
// string, int, int64, float64, object, []object, []string and []int64.
type object []field

// set replaces the value of a key, or appends it.
func (o *object) set(key string, value any) {
	for i := range *o {
		if (*o)[i].key == key {
			(*o)[i].value = value
			return
		}
	}
	*o = append(*o, field{key, value})
}

// has tells whether there is a key.
func (o object) has(key string) bool {
	for i := range o {
		if o[i].key == key {
			return true
		}
	}
	return false
}

// appendJSON writes v the way Apache's admin server lays it out.
func appendJSON(b []byte, v any, indent int) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case string:
		return appendString(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		return appendFloat(b, v)
	case object:
		return appendObject(b, v, indent)
	case []object:
		return appendList(b, len(v), func(b []byte, i int) []byte { return appendObject(b, v[i], indent) })
	case []string:
		return appendList(b, len(v), func(b []byte, i int) []byte { return appendString(b, v[i]) })
	case []int64:
		return appendList(b, len(v), func(b []byte, i int) []byte { return strconv.AppendInt(b, v[i], 10) })
	}
	panic("admin: no JSON for this type")
}

// appendFloat quotes what JSON has no number for, as Java's library does.
func appendFloat(b []byte, f float64) []byte {
	s := javaDouble(f)
	if s == "NaN" || s[len(s)-1] == 'y' {
		return append(append(append(b, '"'), s...), '"')
	}
	return append(b, s...)
}

func appendString(b []byte, s string) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err) // strings always encode
	}
	return append(b, bytes.TrimSuffix(out.Bytes(), []byte("\n"))...)
}

func appendObject(b []byte, o object, indent int) []byte {
	if len(o) == 0 {
		return append(b, "{ }"...)
	}
	b = append(b, '{')
	for i, f := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendIndent(b, indent+1)
		b = appendString(b, f.key)
		b = append(b, " : "...)
		b = appendJSON(b, f.value, indent+1)
	}
	return append(appendIndent(b, indent), '}')
}

func appendIndent(b []byte, n int) []byte {
	b = append(b, '\n')
	for range n {
		b = append(b, "  "...)
	}
	return b
}

func appendList(b []byte, n int, item func(b []byte, i int) []byte) []byte {
	if n == 0 {
		return append(b, "[ ]"...)
	}
	b = append(b, "[ "...)
	for i := range n {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = item(b, i)
	}
	return append(b, " ]"...)
}
