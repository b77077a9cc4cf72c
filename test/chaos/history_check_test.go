package chaos

import (
	"testing"

	"github.com/anishathalye/porcupine"
)

// op is an operation in a history that is written down.
func op(call, end int64, in input, out output) porcupine.Operation {
	in.key = "/k"
	return porcupine.Operation{Call: call, Return: end, Input: in, Output: out}
}

// TestModel shows that wrong histories are found and right ones are not.
func TestModel(t *testing.T) {
	made := op(0, 1, input{kind: create, value: "a"}, output{outcome: done})
	const ever = 1 << 62
	for name, c := range map[string]struct {
		ops   []porcupine.Operation
		legal bool
	}{
		"a stale read":              {[]porcupine.Operation{made, op(2, 3, input{kind: set, value: "b"}, output{outcome: done, version: 1}), op(4, 5, input{kind: read}, output{outcome: done, value: "a"})}, false},
		"a fresh read":              {[]porcupine.Operation{made, op(2, 3, input{kind: set, value: "b"}, output{outcome: done, version: 1}), op(4, 5, input{kind: read}, output{outcome: done, value: "b", version: 1})}, true},
		"a lost create":             {[]porcupine.Operation{made, op(2, 3, input{kind: read}, output{outcome: noNode})}, false},
		"two winners":               {[]porcupine.Operation{made, op(2, 9, input{kind: cas, value: "b"}, output{outcome: done, version: 1}), op(2, 9, input{kind: cas, value: "c"}, output{outcome: done, version: 1})}, false},
		"a write that never was":    {[]porcupine.Operation{made, op(2, ever, input{kind: set, value: "b"}, output{outcome: unknown}), op(4, 5, input{kind: read}, output{outcome: done, value: "a"})}, true},
		"a write that came late":    {[]porcupine.Operation{made, op(2, ever, input{kind: set, value: "b"}, output{outcome: unknown}), op(4, 5, input{kind: read}, output{outcome: done, value: "a"}), op(6, 7, input{kind: read}, output{outcome: done, value: "b", version: 1})}, true},
		"a write that came and was": {[]porcupine.Operation{made, op(2, ever, input{kind: set, value: "b"}, output{outcome: unknown}), op(4, 5, input{kind: read}, output{outcome: done, value: "b", version: 1}), op(6, 7, input{kind: read}, output{outcome: done, value: "a"})}, false},
		"a delete that was lost":    {[]porcupine.Operation{made, op(2, 3, input{kind: remove}, output{outcome: done}), op(4, 5, input{kind: create}, output{outcome: nodeExists})}, false},
	} {
		if legal := porcupine.CheckOperations(model, c.ops); legal != c.legal {
			t.Errorf("%s: legal is %v", name, legal)
		}
	}
}

// TestInOrder shows that a client that is shown the past is found.
func TestInOrder(t *testing.T) {
	kept := func(string) bool { return false }
	history := []sighting{
		{key: "/k", mzxid: 10}, {key: "/k", mzxid: 20},
		{key: "/k", floor: 15, mzxid: 10, plain: true}, {key: "/k", floor: 19, mzxid: 20, plain: true},
	}
	if err := inOrder(history, kept); err != nil {
		t.Error(err)
	}
	for _, s := range []sighting{{key: "/k", floor: 20, mzxid: 10, plain: true}, {key: "/k", floor: 12, plain: true}} {
		if inOrder(append(history[:4:4], s), kept) == nil {
			t.Errorf("%+v is not found", s)
		}
	}
	if err := inOrder(append(history[:4:4], sighting{key: "/k", floor: 12, plain: true}), func(string) bool { return true }); err != nil {
		t.Error(err)
	}
}
