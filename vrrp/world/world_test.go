package world

import (
	"slices"
	"testing"
	"time"
)

// TestSameSeedSameEvents runs seeds twice: everything that happens follows from the seed.
func TestSameSeedSameEvents(t *testing.T) {
	for seed := range uint64(5) {
		a, b := StoryOf(seed).Tell(), StoryOf(seed).Tell()
		if a.Digest() != b.Digest() || !slices.Equal(a.Transcript, b.Transcript) {
			t.Errorf("seed %d: two runs differ", seed)
		}
	}
}

// TestDigest wants it to tell runs apart by any of what they did.
func TestDigest(t *testing.T) {
	r := StoryOf(1).play(transcript{})
	seen := map[uint64]string{r.Digest(): "the run itself"}
	for name, change := range map[string]func(*Result){
		"steps":     func(r *Result) { r.Steps++ },
		"seed":      func(r *Result) { r.Seed++ },
		"episodes":  func(r *Result) { r.Episodes[PowerOff]++ },
		"heals":     func(r *Result) { r.Heals++ },
		"worst":     func(r *Result) { r.Worst.None++ },
		"violation": func(r *Result) { r.Violation = &Violation{Invariant: "I1"} },
		"a moment":  func(r *Result) { r.trace.mix(1) },
		"another":   func(r *Result) { r.trace.mix(2) },
	} {
		changed := r
		change(&changed)
		if same, ok := seen[changed.Digest()]; ok {
			t.Errorf("a change of %s has the digest of %s", name, same)
		}
		seen[changed.Digest()] = name
	}
}

// BenchmarkRun is a world with all its rounds, a seed after the other.
func BenchmarkRun(b *testing.B) {
	var simulated time.Duration
	faults, seed := 0, uint64(0)
	for b.Loop() {
		r := Run(seed)
		simulated += r.Simulated
		faults += r.Faults()
		seed++
	}
	b.ReportMetric(simulated.Seconds()/b.Elapsed().Seconds(), "×realtime")
	b.ReportMetric(float64(faults)/b.Elapsed().Seconds(), "faults/s")
}
