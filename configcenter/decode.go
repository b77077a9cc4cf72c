package configcenter

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-viper/mapstructure/v2"
)

// Validator is a configuration that can tell what is wrong with it.
type Validator interface {
	Validate() error
}

// Decode fills what out points to: a struct, or a map[string]string, which gets
// all properties. What has no property keeps its value.
//
// A property "pool.max-size" is the field Pool.MaxSize: case, hyphens and
// underscores do not count, and a tag `config:"name"` names a field otherwise.
// Texts become numbers, booleans, time.Duration, what has UnmarshalText, and
// slices, by commas or as "hosts[0]". Properties without a field are passed over.
// If out has a Validate method it has the last word.
func Decode(properties map[string]string, out any) error {
	if err := decode(properties, out); err != nil {
		return fmt.Errorf("configcenter: %w", err)
	}
	return nil
}

func decode(properties map[string]string, out any) error {
	if all, ok := out.(*map[string]string); ok {
		*all = properties
		return nil
	}
	d, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result: out, TagName: "config", WeaklyTypedInput: true,
		MatchName: func(key, field string) bool { return strings.EqualFold(relax.Replace(key), relax.Replace(field)) },
		DecodeHook: mapstructure.ComposeDecodeHookFunc(
			split, mapstructure.StringToTimeDurationHookFunc(), mapstructure.TextUnmarshallerHookFunc(), trimmed,
		),
	})
	if err != nil {
		return err
	}
	if err := d.Decode(nested(properties)); err != nil {
		return misfit{err}
	}
	if v, ok := out.(Validator); ok {
		return v.Validate()
	}
	return nil
}

// misfit says in one line which properties do not fit: lists, logs and the entry of a
// subscriber have one for it.
type misfit struct{ cause error }

func (m misfit) Error() string {
	cause := m.cause
	if all := errors.Unwrap(cause); all != nil { // without the heading
		cause = all
	}
	return strings.Join(strings.FieldsFunc(cause.Error(), func(r rune) bool { return r == '\n' }), "; ")
}

func (m misfit) Unwrap() error { return m.cause }

// relax leaves out what does not count in names.
var relax = strings.NewReplacer("-", "", "_", "")

// split makes a list of a text, unless the list's type reads texts itself, as
// net.IP does, or is one of bytes.
func split(from, to reflect.Type, v any) (any, error) {
	text := reflect.TypeFor[encoding.TextUnmarshaler]()
	if from.Kind() != reflect.String || to.Kind() != reflect.Slice || to.Elem().Kind() == reflect.Uint8 || reflect.PointerTo(to).Implements(text) {
		return v, nil
	}
	all := strings.TrimSpace(v.(string))
	if all == "" {
		return []string{}, nil
	}
	list := strings.Split(all, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list, nil
}

// trimmed takes spaces off what is not to be a text: " 8 " is a number.
func trimmed(from, to reflect.Kind, v any) (any, error) {
	if from != reflect.String {
		return v, nil
	}
	switch to {
	case reflect.String, reflect.Struct, reflect.Slice, reflect.Interface:
		return v, nil
	}
	return strings.TrimSpace(v.(string)), nil
}

// nested makes a tree of names with dots. Where a name is both a property and the
// beginning of others, the others count.
func nested(properties map[string]string) map[string]any {
	root := make(map[string]any)
	for key, value := range properties {
		parts := strings.Split(strings.ReplaceAll(key, "[", ".["), ".")
		at := root
		for _, part := range parts[:len(parts)-1] {
			next, ok := at[part].(map[string]any)
			if !ok {
				next = make(map[string]any)
				at[part] = next
			}
			at = next
		}
		last := parts[len(parts)-1]
		if _, deeper := at[last].(map[string]any); !deeper {
			at[last] = value
		}
	}
	return lists(root).(map[string]any)
}

// lists turns what has the names [0], [1]... into lists.
func lists(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for key, value := range m {
		m[key] = lists(value)
	}
	list := make([]any, len(m))
	for key, value := range m {
		i, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(key, "["), "]"))
		if err != nil || i < 0 || i >= len(list) || key != fmt.Sprintf("[%d]", i) {
			return m
		}
		list[i] = value
	}
	if len(list) == 0 {
		return m
	}
	return list
}
