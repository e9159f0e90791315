package vrrp

import (
	"math"
	"time"
)

// Instant is a moment on a monotonic clock, in nanoseconds since an arbitrary
// start. Two instants compare only if they come from the same clock.
type Instant time.Duration

// Add returns the moment d after i; d may be negative. A sum beyond the end of time is
// the end of time, so that "for ever" is never taken for "already over".
func (i Instant) Add(d time.Duration) Instant {
	if d > 0 && i > math.MaxInt64-Instant(d) {
		return math.MaxInt64
	}
	return i + Instant(d)
}

// Sub returns how long j came before i; negative if j is later.
func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i - j) }

// String renders the moment as the time since the clock's start.
func (i Instant) String() string { return time.Duration(i).String() }

// Numbers of the specifications.
const (
	// defaultDownAdverts is how many adverts may be missed (RFC 3768 §6.1,
	// RFC 9568 §6.1: "3 * ... + Skew_Time").
	defaultDownAdverts = 3
	// ownerPriority belongs to the router whose interface has the virtual
	// addresses as its own (RFC 9568 §5.2.4).
	ownerPriority = 255
	// goodbyePriority says that a MASTER is leaving (RFC 9568 §5.2.4).
	goodbyePriority = 0
)

// skew returns Skew_Time for a router of that priority: the higher the priority,
// the earlier it moves. Version 2 knows only whole seconds, so its skew is a
// fraction of one second (RFC 3768 §6.1); version 3 scales with the MASTER's
// interval (RFC 9568 §6.1). Nanoseconds keep what whole centiseconds would lose:
// at an interval of 10 ms the whole skew is less than one of them.
func skew(v Version, priority uint8, masterInterval time.Duration) time.Duration {
	unit := masterInterval
	if v == V2 {
		unit = time.Second
	}
	return time.Duration(256-int64(priority)) * unit / 256
}

// masterDown returns how long a BACKUP of that priority bears silence
// (Master_Down_Interval in RFC 3768, Active_Down_Interval in RFC 9568).
func masterDown(p *Params, priority uint8, masterInterval time.Duration) time.Duration {
	return time.Duration(p.downAdverts())*masterInterval + skew(p.Version, priority, masterInterval)
}
