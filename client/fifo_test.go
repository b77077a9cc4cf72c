package client

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestFifo(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var f fifo[int]
	var model []int
	for i := range 100_000 {
		if r.IntN(100) < 50+20*((i/1000)%2*2-1) {
			f.push(i)
			model = append(model, i)
		} else if v, ok := f.pop(); ok != (len(model) > 0) || ok && v != model[0] {
			t.Fatalf("step %d: %d, %v", i, v, ok)
		} else if ok {
			model = model[1:]
		}
		if f.len() != len(model) {
			t.Fatalf("step %d: length %d, want %d", i, f.len(), len(model))
		}
	}
	if !slices.Equal(f.all(), model) {
		t.Fatal("contents differ")
	}
}
