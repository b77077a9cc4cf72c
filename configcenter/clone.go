package configcenter

import "reflect"

// clone copies a value with all that it refers to by exported fields, so that
// what is decoded into the copy does not show in the original. Interfaces, and
// what types keep to themselves, are shared.
func clone[T any](v T) T {
	to := reflect.New(reflect.TypeFor[T]()).Elem()
	copyInto(to, reflect.ValueOf(&v).Elem())
	return to.Interface().(T)
}

// copyInto makes to, which can be set, a copy of from.
func copyInto(to, from reflect.Value) {
	to.Set(from)
	switch from.Kind() {
	case reflect.Pointer:
		if !from.IsNil() {
			to.Set(reflect.New(from.Type().Elem()))
			copyInto(to.Elem(), from.Elem())
		}
	case reflect.Struct:
		for i := range from.NumField() {
			if from.Type().Field(i).IsExported() {
				copyInto(to.Field(i), from.Field(i))
			}
		}
	case reflect.Slice:
		if !from.IsNil() {
			to.Set(reflect.MakeSlice(from.Type(), from.Len(), from.Len()))
			copyItems(to, from)
		}
	case reflect.Array:
		copyItems(to, from)
	case reflect.Map:
		if !from.IsNil() {
			copyMap(to, from)
		}
	}
}

func copyItems(to, from reflect.Value) {
	for i := range from.Len() {
		copyInto(to.Index(i), from.Index(i))
	}
}

func copyMap(to, from reflect.Value) {
	to.Set(reflect.MakeMapWithSize(from.Type(), from.Len()))
	for key, value := range from.Seq2() {
		item := reflect.New(from.Type().Elem()).Elem()
		copyInto(item, value)
		to.SetMapIndex(key, item)
	}
}
