package service

import (
	"testing"
	"testing/synctest"
	"time"

	"standfast/hw/clock"
)

// rang says whether the alarm rang within the time given.
func rang(a alarm, within time.Duration) bool {
	select {
	case <-a.rings():
		return true
	case <-time.After(within):
		return false
	}
}

// TestHostAlarm rings at its moment and not before, for the last moment that was set, and at once for one that has passed.
func TestHostAlarm(t *testing.T) {
	a := openAlarm()
	defer a.stop()
	at := clock.Now() + 3*time.Millisecond
	a.set(at)
	if !rang(a, time.Minute) || clock.Now() < at {
		t.Errorf("it rang at %v, or not at all, when set to %v", clock.Now(), at)
	}
	a.set(clock.Now() + time.Hour)
	a.set(clock.Now() - time.Hour)
	if !rang(a, time.Minute) {
		t.Error("it did not ring for the past")
	}
}

func TestTimerAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		born := time.Now()
		a := newTimerAlarm(func() time.Duration { return time.Since(born) })
		defer a.stop()
		a.set(time.Second)
		a.set(2 * time.Second)
		if rang(a, 1999*time.Millisecond) || !rang(a, 2*time.Millisecond) {
			t.Error("it did not ring after two seconds")
		}
		a.set(0)
		if !rang(a, time.Nanosecond) {
			t.Error("it did not ring for the past")
		}
	})
}
