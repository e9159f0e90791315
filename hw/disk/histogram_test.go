package disk

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestHistogram(t *testing.T) {
	var h Histogram
	if h.Count() != 0 || h.Max() != 0 || h.Quantile(0.5) != 0 {
		t.Errorf("empty: %d, %v, %v", h.Count(), h.Max(), h.Quantile(0.5))
	}
	for i := range 100 {
		h.add(time.Duration(i+1) * time.Millisecond)
	}
	for q, want := range map[float64]time.Duration{0: time.Millisecond, 0.5: 50 * time.Millisecond, 0.99: 99 * time.Millisecond, 1: 100 * time.Millisecond} {
		if got := h.Quantile(q); got < want || got > want*5/4 {
			t.Errorf("quantile %v: %v, want %v to a quarter more", q, got, want)
		}
	}
	if h.Count() != 100 || h.Max() != 100*time.Millisecond {
		t.Errorf("%d, at most %v", h.Count(), h.Max())
	}
}

// TestHistogramKeepsItsWord compares with the durations themselves.
func TestHistogramKeepsItsWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		took := rapid.SliceOfN(rapid.Int64Range(0, int64(2*time.Minute)), 1, 200).Draw(t, "took")
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		var h Histogram
		for _, d := range took {
			h.add(time.Duration(d))
		}
		slices.Sort(took)
		exact := took[0]
		for i, d := range took {
			if float64(i+1) >= q*float64(len(took)) {
				exact = d
				break
			}
		}
		if got := h.Quantile(q); int64(got) < exact || int64(got) > max(exact*5/4, exact+int64(finest)) {
			t.Fatalf("quantile %v of %v: %v, exactly %v", q, took, got, time.Duration(exact))
		}
	})
}

func TestBuckets(t *testing.T) {
	for i := range buckets - 1 {
		if bucketOf(upper(i)) != i+1 || bucketOf(upper(i)-1) != i {
			t.Errorf("bucket %d ends at %v, which is in %d", i, upper(i), bucketOf(upper(i)))
		}
	}
	if bucketOf(-time.Second) != 0 || bucketOf(1<<62) != buckets-1 {
		t.Error("what is out of range is not in the first and last bucket")
	}
}
