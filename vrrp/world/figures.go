package world

import "time"

// Worst is how close a run came to its bounds.
type Worst struct {
	Both    Closest // I1
	None    Closest // I3
	Settled Closest // I4
}

// Closest is what came closest to its limit.
type Closest struct{ Took, Limit time.Duration }

// Share is how much of the limit it took: 1 is all of it, 0 where nothing was ever measured.
func (c Closest) Share() float64 {
	if c.Limit == 0 {
		return 0
	}
	return float64(c.Took) / float64(c.Limit)
}

func (c *Closest) see(took, limit time.Duration) {
	if n := (Closest{took, limit}); c.Limit == 0 || n.Share() > c.Share() {
		*c = n
	}
}

// Bound is how close a run came to what one invariant allows.
type Bound struct {
	Invariant string
	Of        string // what is bounded, in words
	Closest
}

// Bounds lists the bounds that a run was held against, always the same ones in the same order.
func (r Result) Bounds() []Bound {
	return []Bound{
		{"I1", "two serve one address", r.Worst.Both},
		{"I3", "nobody serves, and one could", r.Worst.None},
		{"I4", "something still moves after a heal", r.Worst.Settled},
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
