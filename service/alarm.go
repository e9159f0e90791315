package service

import (
	"sync"
	"time"

	"standfast/hw/clock"
)

// alarm wakes the loop at a moment of the service's clock. It may ring once more
// for a moment that was replaced meanwhile.
type alarm interface {
	set(at time.Duration) // in place of any other moment; one that has passed is now
	rings() <-chan struct{}
	stop() // set must not be called any more
}

// kernelAlarm is precise, and goes on while the host sleeps.
type kernelAlarm struct {
	clock *clock.Alarm
	ring  chan struct{}
	ended sync.WaitGroup
}

// openAlarm makes the host's alarm.
func openAlarm() alarm {
	c, err := clock.OpenAlarm()
	if err != nil { // before Linux 3.15
		return newTimerAlarm(clock.Now)
	}
	a := &kernelAlarm{clock: c, ring: make(chan struct{}, 1)}
	a.ended.Go(func() {
		for c.Wait() == nil {
			ring(a.ring)
		}
	})
	return a
}

func (a *kernelAlarm) set(at time.Duration) {
	if a.clock.Set(at) != nil { // which the kernel has no reason for
		time.AfterFunc(at-clock.Now(), func() { ring(a.ring) })
	}
}

func (a *kernelAlarm) rings() <-chan struct{} { return a.ring }

func (a *kernelAlarm) stop() {
	_ = a.clock.Close()
	a.ended.Wait()
}

// ring rings, unless nobody has heeded the last ring yet.
func ring(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// timerAlarm is one of the Go runtime's timers, which are up to a millisecond late.
type timerAlarm struct {
	now   func() time.Duration
	ring  chan struct{}
	timer *time.Timer
}

func newTimerAlarm(now func() time.Duration) *timerAlarm {
	a := &timerAlarm{now: now, ring: make(chan struct{}, 1)}
	a.timer = time.AfterFunc(time.Hour, func() { ring(a.ring) })
	return a
}

func (a *timerAlarm) set(at time.Duration)   { a.timer.Reset(max(0, at-a.now())) }
func (a *timerAlarm) rings() <-chan struct{} { return a.ring }
func (a *timerAlarm) stop()                  { a.timer.Stop() }
