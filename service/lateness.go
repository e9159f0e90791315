package service

import (
	"math/bits"
	"time"
)

// The buckets of a lateness: eight to each doubling, from a microsecond to about
// an hour, so that a value is known to an eighth of itself at any size.
const (
	latenessUnit    = time.Microsecond
	latenessSteps   = 3 // 1<<3 buckets to each doubling
	latenessBuckets = 240
)

// lateness counts adverts by how late they left, in constant memory. A copy of it
// is a snapshot.
type lateness struct {
	counts [latenessBuckets]uint64
	total  uint64
	worst  time.Duration
}

// bucketOf finds the bucket of a duration: below 1<<latenessSteps units each has
// its own, above it the highest bits decide.
func bucketOf(late time.Duration) int {
	units := uint64(late / latenessUnit)
	if units < 1<<latenessSteps {
		return int(units)
	}
	doublings := bits.Len64(units) - 1 - latenessSteps
	return min((doublings<<latenessSteps)+int(units>>doublings), latenessBuckets-1)
}

// ceiling is the longest duration in a bucket.
func ceiling(bucket int) time.Duration {
	if bucket < 1<<latenessSteps {
		return time.Duration(bucket+1)*latenessUnit - 1
	}
	doublings := bucket>>latenessSteps - 1
	units := (bucket&(1<<latenessSteps-1) + 1<<latenessSteps + 1) << doublings
	return time.Duration(units)*latenessUnit - 1
}

// add counts one advert; early is punctual.
func (l *lateness) add(late time.Duration) {
	late = max(0, late)
	l.counts[bucketOf(late)]++
	l.total++
	l.worst = max(l.worst, late)
}

// quantile is the lateness that the given share of adverts, in tenths of a
// thousandth, did not exceed; at most an eighth too long. 0 where there are none.
func (l *lateness) quantile(share uint64) time.Duration {
	const whole = 10_000
	// In two parts, lest a product of years overflow.
	rank := l.total/whole*share + (l.total%whole*share+whole-1)/whole
	var passed uint64
	for bucket, n := range l.counts {
		passed += n
		if n > 0 && passed >= rank {
			if bucket == latenessBuckets-1 {
				break // it has no end
			}
			return min(ceiling(bucket), l.worst)
		}
	}
	return l.worst
}
