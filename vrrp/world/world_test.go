package world

import (
	"slices"
	"testing"
)

// TestSameSeedSameEvents runs seeds twice: everything that happens follows from the seed.
func TestSameSeedSameEvents(t *testing.T) {
	for seed := range uint64(5) {
		a, b := StoryOf(seed).Tell(), StoryOf(seed).Tell()
		if a.Events != b.Events || a.Steps != b.Steps || !slices.Equal(a.Transcript, b.Transcript) {
			t.Errorf("seed %d: two runs differ", seed)
		}
	}
}
