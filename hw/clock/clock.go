// Package clock tells the time that the protocol runs on.
//
// It reads CLOCK_BOOTTIME, not CLOCK_MONOTONIC: time spent in suspend, or in a
// paused virtual machine whose hypervisor advances that clock, counts. A router
// that slept for ten seconds was silent for ten seconds, its peer has long taken
// over, and a clock that stood still meanwhile would let it go on as if nothing
// had happened. Steps of the wall clock never show here.
package clock

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Now returns the time since the machine was started, suspend included, to the
// nanosecond. It never runs backwards and only differences mean anything.
func Now() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		// The clock exists since Linux 2.6.39 and the call has no other way to fail.
		panic(fmt.Sprintf("clock: CLOCK_BOOTTIME cannot be read: %v", err))
	}
	return time.Duration(ts.Nano())
}
