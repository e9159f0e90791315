package disk

import (
	"math/bits"
	"time"
)

const (
	// finest is the width of the first buckets: no disk answers sooner.
	finest = 16 * time.Microsecond
	// steps is the number of buckets for each doubling of time: a quantile is told too high by a fifth at most.
	steps   = 4
	buckets = steps * 24 // the last begins beyond two minutes
)

// Histogram counts how long operations took. It is a value of some 400 bytes; the zero Histogram is empty.
type Histogram struct {
	counts  [buckets]uint32
	count   uint64
	longest time.Duration
}

// add counts one duration.
func (h *Histogram) add(d time.Duration) {
	h.counts[bucketOf(d)]++
	h.count++
	h.longest = max(h.longest, d)
}

// bucketOf is linear for the first buckets and logarithmic, in quarters of a doubling, from there.
func bucketOf(d time.Duration) int {
	n := uint64(max(d, 0) / finest)
	if n < steps {
		return int(n)
	}
	doublings := bits.Len64(n) - 3 // so that n>>doublings is 4 … 7
	return min(steps*(doublings+1)+int(n>>doublings)-steps, buckets-1)
}

// upper is where a bucket ends.
func upper(bucket int) time.Duration {
	if bucket < steps {
		return time.Duration(bucket+1) * finest
	}
	doublings := bucket/steps - 1
	return time.Duration(bucket%steps+steps+1) << doublings * finest
}

// Count is how many operations were counted.
func (h *Histogram) Count() uint64 { return h.count }

// Max is the longest.
func (h *Histogram) Max() time.Duration { return h.longest }

// Quantile is a duration that the share q, 0 to 1, of the operations did not exceed; up to a quarter more than the shortest such,
// and never more than Max. It is 0 while nothing was counted.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.count == 0 {
		return 0
	}
	want := max(uint64(q*float64(h.count)+0.999999), 1)
	seen := uint64(0)
	for i, n := range h.counts {
		if seen += uint64(n); seen >= want {
			return min(upper(i), h.longest)
		}
	}
	return h.longest
}
