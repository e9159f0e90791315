package world

import "time"

// Bound is how close a run came to what one invariant allows.
type Bound struct {
	Invariant string
	Of        string        // what is bounded, in words
	Took      time.Duration // the longest that it took
	Limit     time.Duration // and what it may take in this scene
}

// Bounds lists the bounds that a run was held against, always the same ones in the same order.
func (r Result) Bounds() []Bound {
	return []Bound{
		{"I1", "two serve one address", r.Worst.Both, r.Scene.boundBoth()},
		{"I3", "nobody serves, and one could", r.Worst.None, r.Scene.boundNone()},
	}
}

// Faults is how many faults there were, of all kinds.
func (r Result) Faults() int {
	n := 0
	for _, k := range r.Episodes {
		n += k
	}
	return n
}

// trace is a hash of the moments of all events. What a brain does differently becomes an
// event at another moment.
type trace uint64

// mix takes a number in.
func (t *trace) mix(n uint64) { *t = (*t ^ trace(n)) * 0x9e3779b97f4a7c15; *t ^= *t >> 29 }

// Digest is a hash of what happened: two runs of which it is the same had the same events
// at the same moments, with the same outcome.
func (r Result) Digest() uint64 {
	t := r.trace
	for _, n := range r.Episodes {
		t.mix(uint64(n))
	}
	for _, b := range r.Bounds() {
		t.mix(uint64(b.Took))
	}
	for _, n := range []uint64{r.Seed, uint64(r.Simulated), r.Events, r.Steps, uint64(r.Heals)} {
		t.mix(n)
	}
	if r.Violation != nil {
		for _, c := range r.Violation.String() {
			t.mix(uint64(c))
		}
	}
	return uint64(t)
}
