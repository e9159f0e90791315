package service

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestLatenessBuckets: buckets follow each other without a gap, and none is wider than an eighth of what is in it.
func TestLatenessBuckets(t *testing.T) {
	for bucket := range latenessBuckets - 1 {
		last := ceiling(bucket)
		if got := bucketOf(last); got != bucket {
			t.Errorf("the last of bucket %d, %v, is in %d", bucket, last, got)
		}
		if got := bucketOf(last + 1); got != bucket+1 {
			t.Errorf("%v is in bucket %d, want %d", last+1, got, bucket+1)
		}
		if width := ceiling(bucket+1) - last; width > max(last/8, 0)+latenessUnit {
			t.Errorf("bucket %d is %v wide at %v", bucket+1, width, last)
		}
	}
	if got := ceiling(latenessBuckets - 2); got < time.Hour/2 {
		t.Errorf("the buckets end at %v", got)
	}
	if got := bucketOf(1 << 62); got != latenessBuckets-1 {
		t.Errorf("centuries are in bucket %d", got)
	}
}

func TestLatenessQuantiles(t *testing.T) {
	var l lateness
	if got := l.quantile(9999); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	r := rand.New(rand.NewPCG(1, 2))
	var exact []time.Duration
	for range 100_000 {
		late := time.Duration(r.ExpFloat64() * float64(200*time.Microsecond))
		exact = append(exact, late)
		l.add(late)
	}
	slices.Sort(exact)
	for _, share := range []int{1, 5000, 9900, 9990, 9999} {
		want, got := exact[len(exact)*share/10_000-1], l.quantile(uint64(share))
		if got < want || got > want+want/8+latenessUnit {
			t.Errorf("quantile %d is %v, want %v", share, got, want)
		}
	}
	if want := exact[len(exact)-1]; l.quantile(10_000) != want || l.worst != want {
		t.Errorf("the worst is %v and %v, want %v", l.quantile(10_000), l.worst, want)
	}
}

func TestLatenessExtremes(t *testing.T) {
	var l lateness
	l.add(-time.Second)
	l.add(48 * time.Hour)
	want := []time.Duration{latenessUnit - 1, 48 * time.Hour, 48 * time.Hour}
	if diff := cmp.Diff(want, []time.Duration{l.quantile(5000), l.quantile(9900), l.worst}); diff != "" {
		t.Errorf("quantiles (-want +got):\n%s", diff)
	}
	l = lateness{}
	l.total = 1 << 60 // of ten million years
	l.counts[0] = l.total
	if got := l.quantile(9999); got != 0 {
		t.Errorf("of many: %v, though the worst is %v", got, l.worst)
	}
}
