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
		"worst":     func(r *Result) { r.Worst.None.Took++ },
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

func TestClosest(t *testing.T) {
	var c Closest
	for _, x := range []struct{ took, limit, want time.Duration }{{1, 10, 1}, {5, 100, 1}, {2, 10, 2}, {0, 1, 2}, {60, 100, 60}, {6, 10, 60}} {
		if c.see(x.took, x.limit); c.Took != x.want {
			t.Errorf("of %v in %v: the closest took %v, want %v", x.took, x.limit, c.Took, x.want)
		}
	}
	if c.Share() != 0.6 || (Closest{}).Share() != 0 {
		t.Errorf("a share of %v of %v", c.Share(), c)
	}
}
