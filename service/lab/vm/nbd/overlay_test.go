package nbd

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// TestOverlay: whatever is written and zeroed, wherever chunks and the base end, the disk holds what an array would, and takes no more
// memory than it has bytes.
func TestOverlay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		near := func(name string, limit int64) int64 { // most often about the end of a chunk
			at := rapid.Int64Range(0, 3).Draw(t, name+" chunk")*chunkSize + rapid.Int64Range(-3, 3).Draw(t, name+" offset")
			return max(0, min(limit, at))
		}
		size := max(1, near("size", 4*chunkSize))
		base := make([]byte, near("base", 4*chunkSize))
		_, _ = rand.NewChaCha8([32]byte{1}).Read(base)
		untouched := bytes.Clone(base)
		model := make([]byte, size)
		copy(model, base)
		o := &overlay{base: bytes.NewReader(base), size: size, chunks: map[int64][]byte{}}
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				from := near("from", size)
				data := bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, int(max(0, near("to", size)-from)))
				if err := o.write(data, from); err != nil {
					t.Fatal(err)
				}
				copy(model[from:], data)
			},
			"zero": func(t *rapid.T) {
				from := near("from", size)
				length := max(0, near("to", size)-from)
				if err := o.zero(from, length); err != nil {
					t.Fatal(err)
				}
				clear(model[from:][:length])
			},
			"read": func(t *rapid.T) {
				from := near("from", size)
				got := bytes.Repeat([]byte{0xee}, int(max(0, near("to", size)-from)))
				if err := o.read(got, from); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, model[from:][:len(got)]) {
					t.Fatalf("%d bytes at %d are others", len(got), from)
				}
			},
			"": func(t *rapid.T) {
				taken := int64(0)
				for _, c := range o.chunks {
					taken += int64(len(c))
				}
				if taken > size || !bytes.Equal(base, untouched) {
					t.Fatalf("%d bytes are taken for %d; the base is as it was: %v", taken, size, bytes.Equal(base, untouched))
				}
			},
		})
	})
}

// TestZeroesTakeNoMemory: neither those of a base that is shorter nor those that were written over chunks.
func TestZeroesTakeNoMemory(t *testing.T) {
	o := &overlay{base: bytes.NewReader(nil), size: 1 << 40, chunks: map[int64][]byte{}}
	if err := o.write(make([]byte, 2*chunkSize), chunkSize); err != nil {
		t.Fatal(err)
	}
	if err := o.zero(0, 4*chunkSize); err != nil {
		t.Fatal(err)
	}
	if err := o.zero(chunkSize+1, 1); err != nil { // zero as it is
		t.Fatal(err)
	}
	for n, c := range o.chunks {
		if c != nil {
			t.Errorf("chunk %d takes %d bytes", n, len(c))
		}
	}
}
